# One image for all commands: `serve` (brings its own Postgres), `api`, `worker`, `migrate`.
#
#   docker build -t docmill .
#   docker run -p 127.0.0.1:8000:8000 -v docmill:/var/lib/docmill docmill
#
# AI command lines are not in it; docs/writers.md says what to add in an image of your own.

FROM rust:1.95-bookworm AS builder
WORKDIR /build
COPY . .
RUN cargo build --locked --release --package docmill

FROM debian:bookworm-slim
# git and ssh fetch repositories; postgresql is the server that `serve` starts, without a cluster of Debian's own;
# tini collects what killed command lines leave behind; curl asks for the health
RUN mkdir -p /etc/postgresql-common \
    && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl git openssh-client postgresql tini \
    && rm -rf /var/lib/apt/lists/*
# a uid with a name, without which Postgres does not run; the folders belong to it, and so do volumes made from them
RUN useradd --uid 1000 --create-home --shell /usr/sbin/nologin docmill \
    && install -d -o docmill -g docmill -m 0711 /var/lib/docmill \
    && install -d -o docmill -g docmill -m 0700 /sites
COPY --from=builder /build/target/release/docmill /build/target/release/docmill-launch /usr/local/bin/
COPY LICENSE /usr/share/doc/docmill/LICENSE

USER docmill
WORKDIR /home/docmill
ENV DATA_DIR=/var/lib/docmill HOST=0.0.0.0 PORT=8000
EXPOSE 8000
# workers listen on nothing: switch it off for them, as compose.yaml does
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD curl --fail --silent --output /dev/null "http://127.0.0.1:${PORT}/health"
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "docmill"]
CMD ["serve"]
