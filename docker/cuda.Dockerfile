# syntax=docker/dockerfile:1
# The inference server on NVIDIA GPUs:  docker build -f docker/cuda.Dockerfile -t maskwright:cuda .
# It brings CUDA in torch's wheels; the machine needs a driver and the NVIDIA container toolkit.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
# transformers as well for SAM 2 and its like.
ARG EXTRAS=grpc,tracing
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/maskwright
ENV PATH=/opt/maskwright/bin:$PATH
WORKDIR /src
COPY constraints.txt ./
RUN pip install "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN pip install -c constraints.txt ".[$EXTRAS]" && python -m compileall -q /opt/maskwright/lib

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/maskwright maskwright \
    && install -d -o maskwright -g maskwright /var/lib/maskwright/weights /var/lib/maskwright/cache \
        /var/lib/maskwright/tokens /var/lib/maskwright/store
COPY --from=build /opt/maskwright /opt/maskwright
# Threads that wait do not spin; large buffers are kept rather than given back and taken again (docs/guides/install.md).
ENV PATH=/opt/maskwright/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=PASSIVE \
    MALLOC_MMAP_THRESHOLD_=4294967296 \
    MALLOC_TRIM_THRESHOLD_=4294967296 \
    MASKWRIGHT_WEIGHTS=/var/lib/maskwright/weights \
    MASKWRIGHT_CACHE=/var/lib/maskwright/cache \
    NUMBA_CACHE_DIR=/var/lib/maskwright/cache/numba \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001
WORKDIR /var/lib/maskwright
VOLUME ["/var/lib/maskwright/weights", "/var/lib/maskwright/cache", "/var/lib/maskwright/tokens", "/var/lib/maskwright/store"]
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/v1/health/ready', timeout=2)"]
ENTRYPOINT ["maskwright"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080", "--token-file", "/var/lib/maskwright/tokens/tokens.jsonl"]
