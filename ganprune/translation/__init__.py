"""Any generator on pictures or a video, prepared, truncated and named as CycleGAN's ``test.py`` does.

preparation.py   a picture → what the network sees
translators.py   networks of PyTorch and of ONNX Runtime behind one call
source.py        a checkpoint, a run or a file → the network of one direction
memory.py        what a picture takes, before it is begun
tiles.py         a picture in overlapping tiles
targets.py       which pictures there are, and which files come of them
run.py           read, translate, write, a few pictures at a time
videos.py        the same of a video's frames

    source = open_source(Path("checkpoints/horse2zebra"), "AtoB")
    translate_pictures(source, Path("photos"), Path("zebras"))
"""

from ganprune.translation.preparation import preparation_for
from ganprune.translation.run import TranslateSettings, translate_pictures
from ganprune.translation.source import open_source
from ganprune.translation.targets import Kind, is_video
from ganprune.translation.translators import OnnxTranslator, Translator
from ganprune.translation.videos import translate_video

__all__ = [
    "Kind", "OnnxTranslator", "TranslateSettings", "Translator", "is_video", "open_source", "preparation_for",
    "translate_pictures", "translate_video",
]  # fmt: skip
