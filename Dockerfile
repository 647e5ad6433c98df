# The images of the server (target etcd) and of the operator (target etcd-operator), compiled here. The
# targets etcd-prebuilt and etcd-operator-prebuilt take binaries that were built on Debian 12 already;
# their context is a folder made by `scripts/image.sh stage`. scripts/image.sh calls all of this.
ARG BASE=debian:12-slim

FROM ${BASE} AS runtime
# 65532 owns nothing but its data; the root file system may be read-only.
RUN printf 'nonroot:x:65532:65532::/var/lib/etcd:/usr/sbin/nologin\n' >>/etc/passwd \
 && printf 'nonroot:x:65532:\n' >>/etc/group \
 && install -d -o 65532 -g 65532 -m 0700 /var/lib/etcd
WORKDIR /var/lib/etcd
USER 65532:65532
STOPSIGNAL SIGTERM

FROM runtime AS runtime-etcd
EXPOSE 2379 2380 2381
CMD ["/usr/local/bin/etcd"]

FROM runtime AS runtime-etcd-operator
WORKDIR /
EXPOSE 8080 8081
CMD ["/usr/local/bin/etcd-operator"]

FROM runtime-etcd AS etcd-prebuilt
COPY . /

FROM runtime-etcd-operator AS etcd-operator-prebuilt
COPY . /

FROM ${BASE} AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
      ca-certificates etcd-client tzdata
COPY . /src
WORKDIR /src
ARG JOBS=2
RUN scripts/setup.sh
RUN cmake --preset release && ninja -C build/release -j "${JOBS}" image_binaries

FROM build AS stage-etcd
RUN scripts/image.sh stage etcd build/release/bin /stage

FROM build AS stage-etcd-operator
RUN scripts/image.sh stage etcd-operator build/release/bin /stage

FROM runtime-etcd AS etcd
COPY --from=stage-etcd /stage /

FROM runtime-etcd-operator AS etcd-operator
COPY --from=stage-etcd-operator /stage /
