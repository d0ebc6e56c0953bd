# Debian 12: the release whose burn programs the drivers were tried with.
FROM python:3.12-slim-bookworm AS build

WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# Everything that was pinned is fetched and its hash checked; what is installed comes from these files alone.
COPY constraints.txt ./
RUN pip download --quiet --require-hashes --only-binary :all: --no-deps --requirement constraints.txt --dest /wheels

COPY pyproject.toml README.md ./
COPY jobs jobs
COPY workers workers
COPY models models
COPY migrations migrations
RUN python -m venv /opt/discmill \
    && /opt/discmill/bin/pip install --quiet --no-index --find-links /wheels '.[postgres]'


FROM python:3.12-slim-bookworm

# xorriso and cdrskin burn, mtx moves discs: what `discmill doctor` asks for.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cdrskin mtx xorriso \
    && rm -rf /var/lib/apt/lists/*

# The drives' nodes belong to the group cdrom; root is not needed and, by cdrskin, not liked.
RUN useradd --uid 10001 --groups cdrom --home-dir /var/lib/discmill --create-home --shell /usr/sbin/nologin discmill \
    && chmod 700 /var/lib/discmill \
    && install --directory --owner=discmill --mode=1777 /run/lock/discmill

COPY --from=build /opt/discmill /opt/discmill
ENV PATH=/opt/discmill/bin:$PATH PYTHONUNBUFFERED=1 DISCMILL_HOME=/var/lib/discmill

USER discmill
WORKDIR /var/lib/discmill
VOLUME /var/lib/discmill /run/lock/discmill
ENTRYPOINT ["discmill"]
CMD ["--help"]
