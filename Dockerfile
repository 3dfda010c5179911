# The operator: a tree-shaken bundle, Node, the libraries that this Node is linked against, and everybody's licenses. Nothing
# else: no shell, no package manager, no node_modules.
#
#   docker build -t mlflow-operator .
#
# NODE_IMAGE is any Linux with node (24 or newer), npm, strip and a shell.
ARG NODE_IMAGE=docker.io/library/node:26-trixie

FROM ${NODE_IMAGE} AS build
# A file of certificate authorities, mounted into the build, for where a proxy answers in the registry's place.
ARG NODE_EXTRA_CA_CERTS
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No install script has anything to do here: that of the package `node` would fetch the Node that is here already.
RUN npm ci --ignore-scripts
COPY tsconfig.json LICENSE ./
COPY scripts/build.ts scripts/third-party-licenses.ts scripts/
COPY src src
RUN node scripts/build.ts
# Names of functions that only a debugger reads are a fifth of Node. `ldd` names the libraries and the loader by the paths at
# which they are looked for.
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
# Node's threads take turns with one arena, since what each frees in one of its own is hardly ever given back; and what is freed is given back
# from 128 KiB on, where glibc would raise that with the largest answer that there ever was.
ENV PATH=/usr/local/bin NODE_ENV=production MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
# A number, so that runAsNonRoot can be checked: there is no list of users.
USER 65532:65532
WORKDIR /app
EXPOSE 8080
# A small nursery, and a heap that is collected before it grows, and once after each burst of work, take a fifth less memory and no
# time that can be measured (docs/decisions/0005-node-version.md).
ENTRYPOINT ["node", "--max-semi-space-size=1", "--optimize-for-size", "--expose-gc", "/app/mlflow-operator.js"]
CMD ["run"]
