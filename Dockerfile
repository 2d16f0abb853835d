# The command line on the CPU, without root.
#   docker build --tag torchdenoise .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" torchdenoise denoise noisy.png
FROM python:3.13-slim AS build
RUN python -m venv /opt/torchdenoise
# torch in a layer of its own, which changes of the source leave as it is
COPY constraints.txt /source/
RUN /opt/torchdenoise/bin/pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu \
    --constraint /source/constraints.txt torch
# git's history stays outside: --build-arg VERSION="$(python -m setuptools_scm)" names the version
ARG VERSION=""
ENV SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TORCHDENOISE=$VERSION
COPY LICENSE README.md pyproject.toml /source/
COPY torchdenoise /source/torchdenoise
RUN /opt/torchdenoise/bin/pip install --no-cache-dir --constraint /source/constraints.txt /source

FROM python:3.13-slim
COPY --from=build /opt/torchdenoise /opt/torchdenoise
ENV PATH=/opt/torchdenoise/bin:$PATH
RUN useradd --create-home --uid 1000 torchdenoise
# a number, by which Kubernetes sees that it is not root
USER 1000
WORKDIR /work
ENTRYPOINT ["torchdenoise"]
CMD ["--help"]
