from msm.encoders.loading import load_encoder as load_encoder
from msm.examples import example as example
from msm.verbs.compare import compare as compare
from msm.verbs.evaluate import Evaluation as Evaluation
from msm.verbs.evaluate import evaluate as evaluate
from msm.verbs.fuse import fuse as fuse
from msm.verbs.mine import mine as mine
from msm.verbs.report import report as report
from msm.verbs.reproduce import reproduce as reproduce
from msm.verbs.rerank import rerank as rerank
from msm.verbs.run import run as run
from msm.verbs.score import score as score
from msm.verbs.score import score_on_benchmark as score_on_benchmark
from msm.verbs.score_answers import score_answers as score_answers
from msm.version import __version__ as __version__

LAZY: dict[str, str]
