# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a float network to one that trains with quantized layers."""

import copy
import fnmatch
import warnings
from typing import Iterable, Mapping, Optional

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from .layers import can_quantize, quantized_layers, quantized_like
from .quantizers import METHODS, ActivationQuantizer

# Operations that hand on codes as they are: what is quantized before them is
# quantized behind them.
_HAND_ON_MODULES = (
    nn.MaxPool1d, nn.MaxPool2d, nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d,
    nn.Unflatten, nn.ChannelShuffle, nn.PixelShuffle,
)  # fmt: skip
_HAND_ON_FUNCTIONS = (
    F.max_pool1d, F.max_pool2d, F.dropout, torch.flatten, torch.reshape,
    torch.permute, torch.transpose, torch.squeeze, torch.unsqueeze,
)  # fmt: skip
_HAND_ON_METHODS = (
    "flatten", "reshape", "view", "permute", "transpose", "contiguous", "squeeze",
    "unsqueeze",
)  # fmt: skip
_FLOAT_FUNCTIONS = (
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "linear", "matmul", "bmm", "einsum",
)  # fmt: skip
_HAND_ON_ANY = (*_HAND_ON_FUNCTIONS, *_HAND_ON_METHODS)
# Of these, what keeps the order of an image's channels.
_KEEP_ORDER = (
    nn.MaxPool2d, nn.Identity, nn.Dropout, nn.Dropout2d, F.max_pool2d, F.dropout,
    "contiguous",
)  # fmt: skip
_NORMS = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Linear: nn.BatchNorm1d,
}
_OPTIONS = (
    "weight_bits", "activation_bits", "accumulator_width", "tile", "method", "bound",
    "scale_search",
)  # fmt: skip

Sample = Tensor | tuple


def prepare(
    model: nn.Module,
    sample: Sample,
    *,
    weight_bits: int = 4,
    activation_bits: int = 4,
    accumulator_width: Optional[int] = None,
    tile: Optional[int] = None,
    method: str = "projection",
    bound: str = "centred",
    scale_search: bool = True,
    input_layer: Optional[Mapping] = None,
    overrides: Optional[Mapping[str, Optional[Mapping]]] = None,
    batch_norm: str = "follow",
) -> torch.fx.GraphModule:
    """A copy of a float network whose convolutions and linear layers train with
    quantized weights and activations.

    sample: a batch of inputs (a tuple where the network takes several), from
        which activation scales, their signs, and batch-norm statistics start.
    accumulator_width: bits of an accumulator; None: no constraint.
    tile: terms that share an accumulator; None: all of an output's.
    method, bound: see a2q.torch.quantizers and a2q.torch.budget.
    input_layer: options of layers that read the network's input; by default
        8-bit weights and activations without a constraint.
    overrides: options by layer name or pattern (`layer1.*`); None leaves a layer
        in floating point. The last that matches counts.
    batch_norm: `follow` keeps it in training, with float statistics, and
        `export` folds it; `fold` takes it into the weights now.

    The network must be traceable by torch.fx. Quantizers stand behind whatever
    produces a layer's input and serve all who read it.
    """
    options = dict(
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        accumulator_width=accumulator_width,
        tile=tile,
        method=method,
        bound=bound,
        scale_search=scale_search,
    )
    if batch_norm not in ("follow", "fold"):
        raise ValueError(f"batch_norm '{batch_norm}', expected 'follow' or 'fold'")
    if input_layer is None:
        input_layer = dict(weight_bits=8, activation_bits=8, accumulator_width=None)
    _check_options(options, "prepare")
    preparation = _Preparation(model, options, input_layer, overrides or {})
    arguments = _arguments(sample)
    for value in arguments:
        if not isinstance(value, Tensor) or value.dim() == 0 or value.numel() == 0:
            said = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"the sample is {said}; it takes a batch of inputs that is not empty"
            )
    return preparation.run(arguments, batch_norm)


def reestimate_batch_norm(model: nn.Module, batches: Iterable[Sample]) -> None:
    """Sets the statistics of batch norms to their means over `batches`, nothing
    else; what quantization shifted before them is taken off."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    training = {module: module.training for module in model.modules()}
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    try:
        with torch.no_grad():
            for batch in batches:
                model(*_arguments(batch))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in training.items():
            module.training = mode


def _arguments(sample: Sample) -> tuple:
    return tuple(sample) if isinstance(sample, (tuple, list)) else (sample,)


def _trace(model):
    try:
        return torch.fx.symbolic_trace(model)
    except Exception as error:
        raise ValueError(
            f"torch.fx cannot trace the network: {error}. Make what it cannot trace "
            "a leaf (torch.fx.wrap), or build the network from QuantConv2d and "
            "QuantLinear"
        ) from error


class _Preparation:
    def __init__(self, model, options, input_layer, overrides):
        self.graph = _trace(copy.deepcopy(model).eval())
        self.modules = dict(self.graph.named_modules())
        self.options = options
        self.input_layer = input_layer
        self.overrides = overrides
        self._check_overrides()

    def run(self, sample, batch_norm):
        layers = self._layer_nodes()
        norms = self._take_norms(layers, batch_norm)
        sources = {node: self._source(node.args[0]) for node in layers}
        self.chosen = {node: self._options_of(node, sources[node]) for node in layers}
        layers = [node for node in layers if self.chosen[node] is not None]
        seen = _Recorder(self.graph, {sources[node] for node in layers})
        with torch.no_grad():
            seen.run(*sample)
        codes = self._insert_quantizers(layers, sources, seen.values)
        for node in layers:
            read = seen.values[sources[node]]
            self._quantize(node, codes[node], norms.get(node), read)
        self.graph.delete_all_unused_submodules()
        self.graph.graph.lint()
        self.graph.recompile()
        if any(norms.values()):
            reestimate_batch_norm(self.graph, [sample])
        return self.graph.train()

    def _check_overrides(self):
        names = [name for name, module in self.modules.items() if can_quantize(module)]
        for pattern, options in self.overrides.items():
            if not fnmatch.filter(names, pattern):
                raise ValueError(
                    f"the override '{pattern}' names no layer; there are "
                    + ", ".join(names)
                )
            _check_options(options or {}, f"the override '{pattern}'")
        _check_options(self.input_layer, "input_layer")

    def _layer_nodes(self):
        """One node for each layer, in order of execution."""
        nodes = {}
        for node in self.graph.graph.nodes:
            if node.op != "call_module" or not can_quantize(self.modules[node.target]):
                continue
            if node.target in nodes:
                raise ValueError(
                    f"layer '{node.target}' is used twice; give each use a layer of "
                    "its own"
                )
            if not node.args:
                raise ValueError(
                    f"layer '{node.target}' is called by keyword; hand its input on "
                    "by position"
                )
            weight = self.modules[node.target].weight
            for other in nodes:
                if self.modules[other].weight is weight:
                    raise ValueError(
                        f"layers '{other}' and '{node.target}' share their weights; "
                        "give each weights of its own"
                    )
            nodes[node.target] = node
        if not nodes:
            raise ValueError("the network has no convolution or linear layer")
        self._warn_of_floats()
        return list(nodes.values())

    def _warn_of_floats(self):
        """Names what looks like a layer and stays in floating point."""
        for node in self.graph.graph.nodes:
            module = self.modules.get(node.target) if node.op == "call_module" else None
            name = getattr(node.target, "__name__", "")
            if isinstance(module, (nn.modules.conv._ConvNd, nn.Bilinear)):
                if can_quantize(module):
                    continue
                what = f"layer '{node.target}' ({type(module).__name__})"
            elif node.op == "call_function" and name in _FLOAT_FUNCTIONS:
                what = f"'{node.name}' (a call of {name})"
            else:
                continue
            warnings.warn(f"{what} stays in floating point", stacklevel=5)

    def _take_norms(self, layers, batch_norm):
        """Batch norms that follow a layer leave the graph: {node: norm}."""
        norms = {}
        for node in layers:
            layer = self.modules[node.target]
            users = list(node.users)
            if len(users) != 1 or users[0].op != "call_module":
                continue
            norm = self.modules[users[0].target]
            if type(norm) is not _NORMS[type(layer)] or not norm.track_running_stats:
                continue
            users[0].replace_all_uses_with(node)
            self.graph.graph.erase_node(users[0])
            if batch_norm == "fold":
                linear = isinstance(layer, nn.Linear)
                fuse = fuse_linear_bn_eval if linear else fuse_conv_bn_eval
                self._set_module(node.target, fuse(layer, norm))
            else:
                norms[node] = norm
        # The float network still computes them while the sample is recorded.
        for node, norm in norms.items():
            layer = self.modules[node.target]
            self._set_module(node.target, nn.Sequential(layer, norm))
            self.modules[node.target] = layer
        return norms

    def _source(self, node):
        """What produced the codes that `node` hands on."""
        while True:
            if node.op == "call_module":
                hands_on = isinstance(self.modules.get(node.target), _HAND_ON_MODULES)
            elif node.op == "call_function":
                hands_on = node.target in _HAND_ON_FUNCTIONS
            else:
                hands_on = node.op == "call_method" and node.target in _HAND_ON_METHODS
            if not hands_on:
                return node
            node = node.all_input_nodes[0]

    def _options_of(self, node, source):
        options = dict(self.options)
        if source.op == "placeholder":
            options.update(self.input_layer)
        for pattern, override in self.overrides.items():
            if fnmatch.fnmatch(node.target, pattern):
                if override is None:
                    return None
                options.update(override)
        return options

    def _insert_quantizers(self, layers, sources, values):
        """A quantizer behind each source for each number of bits; {layer node:
        codes that it reads}."""
        wanted = {}
        for node in layers:
            key = (sources[node], self.chosen[node]["activation_bits"])
            wanted.setdefault(key, []).append(node)
        bits_of = {}
        for source, bits in wanted:
            bits_of.setdefault(source, []).append(bits)
        codes = {}
        for (source, bits), readers in wanted.items():
            signed = bool((values[source] < 0).any())
            quantizer = ActivationQuantizer(bits, signed).to(values[source].device)
            quantizer.start(values[source])
            name = f"{source.name}_codes"
            if len(bits_of[source]) > 1:
                name += str(bits)
            self.graph.add_module(name, quantizer)
            with self.graph.graph.inserting_after(source):
                codes_node = self.graph.graph.call_module(name, (source,))
            if len(bits_of[source]) == 1:
                source.replace_all_uses_with(
                    codes_node, delete_user_cb=lambda user, own=codes_node: user is not own
                )
            else:
                for reader in readers:
                    self._read_through(reader, source, codes_node)
            codes.update({node: quantizer.codes for node in readers})
        return codes

    def _read_through(self, reader, source, codes_node):
        """Lets one reader have codes of its own, behind what hands them on."""
        if reader.args[0] is not source:
            raise ValueError(
                f"layers that read '{source.name}' want different activation bits "
                f"and '{reader.target}' reads it through '{reader.args[0].name}'; "
                "give them the same bits"
            )
        reader.replace_input_with(source, codes_node)

    def _quantize(self, node, codes, norm, read):
        options = dict(self.chosen[node])
        del options["activation_bits"]
        if options["method"] != "projection":
            del options["scale_search"]
        layer = self.modules[node.target]
        if isinstance(layer, nn.Linear) and self._reads_flattened_image(node, read):
            if layer.in_features % read.shape[1] == 0:
                options["image_channels"] = read.shape[1]
        try:
            quantized = quantized_like(layer, input_codes=codes, norm=norm, **options)
        except ValueError as error:
            raise ValueError(f"layer '{node.target}': {error}") from error
        self._set_module(node.target, quantized)

    def _reads_flattened_image(self, node, image):
        """Whether one plain flatten makes a layer's rows of images [N, C, H, W];
        anything else leaves the terms in the order of the rows."""
        if image.dim() != 4:
            return False
        flattens = 0
        node = node.args[0]
        while True:
            if node.op == "call_module":
                module = self.modules.get(node.target)
                kind = type(module)
                if kind is nn.Flatten:
                    plain = (module.start_dim, module.end_dim) == (1, -1)
            else:
                kind, module = node.target, None
                if kind in (torch.flatten, "flatten"):
                    plain = node.args[1:] in ((1,), (1, -1)) and not node.kwargs
                    plain = plain or (
                        len(node.args) == 1
                        and dict(node.kwargs) in ({"start_dim": 1},)
                    )
            if kind in (nn.Flatten, torch.flatten, "flatten"):
                if not plain:
                    return False
                flattens += 1
            elif kind in (torch.reshape, "reshape", "view"):
                sizes = node.args[1:]
                if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
                    sizes = tuple(sizes[0])
                if len(sizes) != 2 or sizes[1] != -1:
                    return False
                flattens += 1
            elif kind in _KEEP_ORDER:
                pass
            elif kind not in _HAND_ON_ANY and not isinstance(module, _HAND_ON_MODULES):
                # The producer itself.
                return flattens == 1
            else:
                return False
            node = node.all_input_nodes[0]

    def _set_module(self, name, module):
        parent, _, leaf = name.rpartition(".")
        setattr(self.graph.get_submodule(parent), leaf, module)
        self.modules[name] = module


def _check_options(options, whose):
    for name in options:
        if name not in _OPTIONS:
            raise ValueError(
                f"{whose} has the option '{name}'; there are {', '.join(_OPTIONS)}"
            )
    for name in ("weight_bits", "activation_bits", "accumulator_width", "tile"):
        value = options.get(name)
        optional = name in ("accumulator_width", "tile")
        if name in options and type(value) is not int and not (optional and value is None):
            raise ValueError(f"{name} is {value!r}; it takes an integer")
    if whose != "prepare" and options.get("method", "projection") not in METHODS:
        raise ValueError(
            f"{whose} has the method '{options['method']}'; there are "
            + ", ".join(METHODS)
        )


class _Recorder(torch.fx.Interpreter):
    """Runs a graph and keeps what some nodes produce."""

    def __init__(self, graph, nodes):
        super().__init__(graph)
        self.nodes = nodes
        self.values = {}

    def run_node(self, node):
        value = super().run_node(node)
        if node in self.nodes:
            self.values[node] = value
        return value


def describe(model: nn.Module) -> str:
    """One line for each quantized layer."""
    lines = []
    for name, layer in quantized_layers(model).items():
        codes = layer.input_codes
        lines.append(
            f"{name}: {layer.weight_quantizer.extra_repr()}; "
            f"codes [{codes.lo}, {codes.hi}]"
        )
    return "\n".join(lines)
