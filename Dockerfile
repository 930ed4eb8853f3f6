# Lading in a container (B10): one program, an account without rights, nothing to build with.
# `docker compose build` makes it; docs/how-to/archive-docker.md says how it is used.
ARG PYTHON=python:3.13.7-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
# The environment is all that the image gets; what installed it stays here.
RUN python -m venv /opt/lading \
    && /opt/lading/bin/python -m pip install -c constraints.txt '.[postgres,archive]' \
    && /opt/lading/bin/python -m pip uninstall --yes pip

FROM ${PYTHON}
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/lading \
        --shell /usr/sbin/nologin lading \
    && install -d -m 0750 -o lading -g lading /var/lib/lading /var/log/lading
COPY --from=build /opt/lading /opt/lading
ENV PATH=/opt/lading/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LADING_DATA_DIR=/var/lib/lading
USER 10001:10001
WORKDIR /var/lib/lading
# A run ends by itself and says by its status how it went; there is nothing to ask meanwhile.
HEALTHCHECK NONE
ENTRYPOINT ["lading"]
CMD ["archive", "run"]
