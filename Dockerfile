# The operator: a tree-shaken bundle, Node, the shared libraries of Node, and all licenses. No
# shell, no package manager, no node_modules.
#
#   docker build -t mlflow-operator .
#
# NODE_IMAGE is any Linux with node (24 or newer), npm, strip and a shell.
ARG NODE_IMAGE=docker.io/library/node:26-trixie

FROM ${NODE_IMAGE} AS build
# A CA bundle, mounted into the build, for registries behind a proxy that intercepts TLS.
ARG NODE_EXTRA_CA_CERTS
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No install script is needed: that of the package `node` would download the Node that the image already has.
RUN npm ci --ignore-scripts
COPY tsconfig.json LICENSE ./
COPY scripts/build.ts scripts/third-party-licenses.ts scripts/
COPY src src
COPY python/src python/src
RUN node scripts/build.ts
# Debug symbols are a fifth of Node. `ldd` prints the paths of the libraries and of the dynamic loader,
# which are kept in the image.
RUN mkdir -p /image/app /image/usr/local/bin \
  && cp -r dist/. package.json LICENSE /image/app/ \
  && strip -o /image/usr/local/bin/node "$(command -v node)" \
  && ldd /image/usr/local/bin/node | grep -o '/[^ ]*' | grep -v '^/image' | xargs -I{} cp -L --parents {} /image \
  && for file in /usr/local/LICENSE /usr/share/doc/libc6/copyright /usr/share/doc/libgcc-s1/copyright \
    /usr/share/doc/libstdc++6/copyright /usr/share/doc/libatomic1/copyright; do \
    [ ! -e "$file" ] || cp -L --parents "$file" /image; \
  done

FROM scratch
LABEL org.opencontainers.image.title="mlflow-operator" \
  org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
# The threads of Node share one malloc arena, since memory that is freed in separate arenas is rarely returned to the system; freed memory is
# returned from 128 KiB on, a threshold that glibc would otherwise increase with the largest response.
ENV PATH=/usr/local/bin NODE_ENV=production MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
# A number, so that the kubelet can check runAsNonRoot: the image has no /etc/passwd.
USER 65532:65532
WORKDIR /app
EXPOSE 8080
# A small new space, a heap that is collected before it grows, and one collection after each burst of work save a fifth of the memory at no
# measurable cost (docs/decisions/0005-node-version.md).
ENTRYPOINT ["node", "--max-semi-space-size=1", "--optimize-for-size", "--expose-gc", "/app/mlflow-operator.js"]
CMD ["run"]
