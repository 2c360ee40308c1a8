#!/usr/bin/env bash
# Everything that is measured on a GPU, in parts that can be run one by one and again.
#
#     bash benchmarks/gpu.sh CKPT DATA FEATURES OUT PART…
#
# FEATURES: the folder with mobilenet_v2.safetensors and vgg16_to_conv3_3.safetensors. Parts: tests, scoring,
# steps, search, rivals, reductions, tuning. What a part has finished in OUT is not done again.
set -euo pipefail
ckpt=$1 data=$2 features=$3 out=$4
shift 4
mkdir -p "$out"
python=${PYTHON:-python3}

tests() { # what says that it runs on CUDA
    "$python" -m pytest -q -p no:cacheprovider tests/training/test_cuda.py tests/test_evaluation.py tests/test_device.py
}

scoring() { # against the published way of scoring, and against the GPU's best rate
    "$python" benchmarks/evaluation_speed.py "$ckpt" "$data" --device cuda --batch 16 --pictures 16 \
        --individuals 16 --repeats 4 --json "$out/scoring.json"
}

steps() { # of fine-tuning, against a plain loop
    "$python" benchmarks/training_speed.py "$ckpt" "$data" --device cuda --rounds 30
}

search() { # K = 32, T = 100, both generators, 16 pictures a side, 256×256
    for target in 0.25 0.066; do
        "$python" -m ganprune_cli search "$ckpt" --data "$data" --device cuda --target-macs $target \
            --population 32 --generations 100 --pictures 16 -o "$out/search-$target"
    done
}

rivals() {
    "$python" benchmarks/search_rivals.py "$ckpt" "$data" "$out/rivals" --device cuda --threads 1 \
        --methods coevolution,separate,paper,paper-separate,random,uniform,magnitude
}

reductions() { # K = 32, T = 100, 256×256: what γ = 10 and λ = 10 lead to
    "$python" benchmarks/reductions.py "$ckpt" "$data" "$out/reductions" --device cuda --threads 1 \
        --size 256 --pictures 8 --population 32 --generations 100 --cells mean:10,sum:10,mean:0.1
}

tuning() { # a quarter and a fifteenth, BUDGET each
    "$python" benchmarks/fine_tuning.py "$ckpt" "$data" "$out/tuning" --device cuda --size 256 \
        --features "$features/mobilenet_v2.safetensors" --vgg "$features/vgg16_to_conv3_3.safetensors" \
        --methods distilled --budget "${BUDGET:-8m}"
}

for part in "$@"; do
    echo "== $part"
    "$part"
done
