"""A real slapd with the users of test/cluster/images/slapd, on loopback, for the tests in this folder."""

from __future__ import annotations

import datetime
import ipaddress
import random
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

IMAGE = Path(__file__).parents[3] / "test/cluster/images/slapd"
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
ROOT = "cn=root,dc=mlflow,dc=test"


class Slapd:
    """Listens at 127.0.0.1 only; its certificate is for `localhost`, not for that address."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slapd-"))
        self.port, self.tls_port = free_port(), free_port()
        self.ca_file = str(self.folder / "ca.crt")
        self.certificate()
        (self.folder / "data").mkdir()
        self.run("slapadd", "-q", "-f", str(IMAGE / "slapd.conf"), "-l", str(IMAGE / "directory.ldif"))
        self.start()

    def start(self) -> None:
        listeners = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        program = shutil.which("slapd", path=PATH) or "slapd"
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [program, "-d", "stats", "-f", str(IMAGE / "slapd.conf"), "-h", listeners], cwd=self.folder, stderr=log
            )
        for _ in range(600):
            if answers(self.port) and answers(self.tls_port):
                return
            time.sleep(0.1)
        raise RuntimeError("slapd does not answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def binds(self, dn: str) -> int:
        """Returns the number of bind requests for this DN."""
        return (self.folder / "log").read_text().count(f'BIND dn="{dn}" method=128')

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def modify(self, ldif: str) -> None:
        url = f"ldap://127.0.0.1:{self.port}"
        self.run("ldapmodify", "-x", "-H", url, "-D", ROOT, "-w", "of-the-root-12345", stdin=ldif)

    def run(self, program: str, *args: str, stdin: str = "") -> None:
        path = shutil.which(program, path=PATH) or program
        done = subprocess.run([path, *args], cwd=self.folder, input=stdin, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr}")

    def certificate(self) -> None:
        """Creates a CA and a certificate."""
        authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
        now = datetime.datetime.now(datetime.UTC)

        def signed(subject: x509.Name, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> bytes:
            builder = x509.CertificateBuilder(authority, subject, public, x509.random_serial_number())
            lasting = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
            certificate = lasting.add_extension(extension, critical=True).sign(authority_key, hashes.SHA256())
            return certificate.public_bytes(serialization.Encoding.PEM)

        constraints = x509.BasicConstraints(ca=True, path_length=None)
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
        )
        (self.folder / "ca.crt").write_bytes(signed(authority, authority_key.public_key(), constraints))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        (self.folder / "tls.crt").write_bytes(signed(subject, key.public_key(), names))
        (self.folder / "tls.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def free_port() -> int:
    """Returns a free port that was not returned before.

    Below those of outgoing connections: of these one that waits for a server could meet itself there.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            if port not in given:
                given.add(port)
                return port


given: set[int] = set()


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
