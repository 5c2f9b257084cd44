# cass with the versions of requirements.lock; needs no internet once it is built.
#   docker build -t cass .
#   docker run --rm --network none --user "$(id -u):$(id -g)" --gpus all --shm-size 2g -v "$PWD:/data" \
#     cass compare labels.csv --out runs/compare
FROM python:3.11-slim

RUN useradd --create-home cass
WORKDIR /opt/cass
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

USER cass
# Pretrained weights are found in the folder that CASS_WEIGHTS_DIR names; nothing is downloaded.
ENV HF_HUB_OFFLINE=1 CASS_WEIGHTS_DIR=/data/weights
WORKDIR /data
ENTRYPOINT ["cass"]
