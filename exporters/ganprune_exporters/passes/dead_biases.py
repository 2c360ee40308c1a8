"""Biases that a norm cancels."""

from onnx import NodeProto

from ganprune_exporters.passes.contract import Rewrite
from ganprune_exporters.passes.graph import Graph


class DeadBiases(Rewrite):
    """Drops the bias of a convolution that only instance norms read.

    InstanceNormalization subtracts the mean of every channel, and with it whatever constant was added to
    the channel: norm(x + b) = norm(x). A batch norm does not, as its mean is not that of the picture.
    """

    name = "dead-biases"
    summary = "biases dropped that a norm cancels"
    nothing = "no convolution with a bias is followed by instance norm alone"
    operators = ("Conv", "ConvTranspose")

    def fits(self, graph: Graph, node: NodeProto) -> bool:
        """See `Rewrite.fits`."""
        made = node.output[0]
        readers = graph.readers(made)
        return (
            len(node.input) == 3
            and bool(node.input[2])
            and bool(readers)
            and not graph.is_output(made)
            and all(r.op_type == "InstanceNormalization" and list(r.input).index(made) == 0 for r in readers)
        )

    def rewrite(self, graph: Graph, node: NodeProto) -> None:
        """See `Rewrite.rewrite`."""
        del node.input[2:]
        graph.drop_unread()
