# An image with the static binary alone, which `make dist` builds for amd64 and arm64, and the certificates of the authorities:
#   make dist && docker build --tag databend-metactl .
FROM debian:stable-slim AS certificates
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates

FROM scratch
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ARG TARGETARCH
COPY target/dist/databend-metactl-$TARGETARCH /usr/bin/databend-metactl
ENV PATH=/usr/bin
USER 65534:65534
ENTRYPOINT ["/usr/bin/databend-metactl"]
