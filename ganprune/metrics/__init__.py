"""How good translated pictures are: distances of their features to those of real pictures, and labels.

extractor.py      what a feature network is; pictures → features
loading.py        a file of weights → a feature network
published.py      MobileNetV2, SqueezeNet; inception.py: Inception; normalise.py: what they are fed
cache.py          features by content
folders.py        pictures of a folder, and pairs
kernel.py         KID
frechet.py        FID
controls.py       as_b, lost, PSNR
bootstrap.py      intervals
scores.py         all of these for one set of pictures
translations.py   what an original and a slim generator make of pictures; L_GenA, L_DisA, L_cyc
labels.py, fcn.py the FCN score
telling.py        figures in words
"""

from ganprune.metrics.cache import cached_features
from ganprune.metrics.controls import absolute_errors, squared_errors
from ganprune.metrics.extractor import FeatureNetwork, features_of, find_readable
from ganprune.metrics.fcn import Segmenter, fcn_score
from ganprune.metrics.folders import paired, pictures_in
from ganprune.metrics.frechet import fid
from ganprune.metrics.kernel import kid
from ganprune.metrics.loading import load_features
from ganprune.metrics.scores import ScoreSettings, score
from ganprune.metrics.translations import ComparedNetworks, Translated, translated

__all__ = [
    "ComparedNetworks", "FeatureNetwork", "ScoreSettings", "Segmenter", "Translated", "absolute_errors",
    "cached_features", "fcn_score", "features_of", "fid", "find_readable", "kid", "load_features", "paired",
    "pictures_in", "score", "squared_errors", "translated",
]  # fmt: skip
