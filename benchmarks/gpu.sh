#!/usr/bin/env bash
# Everything that is measured on a GPU, in parts that can be run one by one, beside each other, and again.
#
#     bash benchmarks/gpu.sh CKPT DATA FEATURES OUT PART…
#
# FEATURES: the folder with mobilenet_v2.safetensors and vgg16_to_conv3_3.safetensors. What a part has finished in
# OUT is not done again. Parts at once starve each other of CPU cores. DEVICE=cpu and small numbers in place of those
# below try the script out.
set -euo pipefail
ckpt=$1 data=$2 features=$3 out=$4
shift 4
mkdir -p "$out"
python=${PYTHON:-python3} device=${DEVICE:-cuda} size=${SIZE:-256}
population=${POPULATION:-32} generations=${GENERATIONS:-100} steps=${STEPS:-8000}
mobilenet=$features/mobilenet_v2.safetensors vgg=$features/vgg16_to_conv3_3.safetensors

checks() { # what says that it runs on CUDA
    "$python" -m pytest -q -p no:cacheprovider tests/training/test_cuda.py tests/baselines/test_cuda.py \
        tests/test_evaluation.py tests/test_device.py
}

scoring() { # against the published way of scoring, and against the GPU's best rate
    "$python" benchmarks/evaluation_speed.py "$ckpt" "$data" --device "$device" --size "$size" \
        --batch 16 --pictures 16 --individuals 16 --repeats 4 --json "$out/scoring.json"
}

layouts() { # NCHW or channels-last
    "$python" benchmarks/gpu_layouts.py "$ckpt"
}

stepping() { # fine-tuning, against a plain loop
    "$python" benchmarks/training_speed.py "$ckpt" "$data" --device "$device" --size "$size" --rounds 30
}

quarter() { # the whole job: K = 32, T = 100, both generators on 16 pictures a side
    "$python" -m ganprune_cli compress "$ckpt" --data "$data" --device "$device" --size "$size" --set "vgg=$vgg" \
        --set "population=$population" --set "generations=$generations" --set pictures=16 --budget "${steps}steps" \
        -o "$out/quarter" -q
}

tiny() { # the same to a fifteenth
    "$python" -m ganprune_cli compress "$ckpt" --data "$data" --device "$device" --size "$size" --set "vgg=$vgg" \
        --preset tiny --budget "${steps}steps" -o "$out/tiny" -q
}

quality() { # what the score of the search is worth
    "$python" benchmarks/score_quality.py "$ckpt" "$data" "$out/quality.json" --features "$mobilenet" --steps 500
}

comparison() { # the paper's claim: CELLS leave some to another process, which needs a NAME of its own
    local settings=$out/compared-${NAME:-all}.toml # milliseconds are a CPU's
    sed 's/^bench-seconds = .*/bench-seconds = 0/' ganprune/comparing/settings/horse2zebra-128.toml >"$settings"
    "$python" -m ganprune_cli compare "$ckpt" --data "$data" --config "$settings" --size "${COMPARED_SIZE:-128}" \
        --features "$mobilenet" --device "$device" --threads "${THREADS:-4}" --budget "${COMPARED_STEPS:-1500}steps" -q \
        --cells "${CELLS:-co-evolution,generator-aware,separate,thinet,random,uniform}" -o "$out/compare-${NAME:-all}"
}

for part in "$@"; do
    echo "== $part"
    started=$SECONDS
    "$part"
    echo "== $part: $((SECONDS - started)) s"
done
