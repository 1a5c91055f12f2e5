"""From a network of integers to what a machine is given: instruction words, tables, the stream of weights, the packing.

`assemble` does it; `Program` is the result and says how activations go in and sums come out. The contract:

**Activation memories.** Two; layer i reads memory i mod 2 and writes the other one. A line is `columns` containers, so
word w is container w mod columns of line w // columns. A tensor (images, height, width, channels) starts at word 0;
pixel (image, y, x) at ((image × height + y) × width + x) × stride, stride a multiple of `columns`. With ch values to a
container (N / p; 1 in a machine of `fixed`, in the low bits), channel k of a pixel is field k mod ch of its word
k // ch: bits [(k mod ch) × p +: p]. Fields beyond the last channel are 0, in every tensor.

**Tokens.** A token is one word of a pixel with the weights of it: kernel row, kernel column, word, innermost last. What
lies outside the map is word 0. So K = kernel_h × kernel_w × words tokens a dot product. Where a pixel's channels do not
fill its words, weights and activations are both 0; in bipolar mode that adds +1 a field to every sum, which `assemble`
takes back from thresholds and biases.

**Weight stream.** For each instruction, column tile and token in order: a line of containers, lane m of it at bits
[m × N +: N]; a line goes over the port in `port_bits` at a time, lowest bits first. Tile t, lane m holds the weights of
output t × columns + m (systolic), or t × rows × columns + (rows - 1 - m // columns) × columns + m mod columns
(single_layer: units leave the bank from the last row of units on, and this makes that ascending order). Weights of
outputs that do not exist are 0. A program is one pass of the stream; each batch needs another.

**Tables.** A line for each group of `columns` outputs, 15 signed 32-bit numbers an output. Thresholds: a binary search
tree in heap order, node 1 first (nodes 1 to 2^p - 1; node i goes on to 2 i when its threshold is not reached, to
2 i + 1 when it is). Scale: bias first, then scale in node 2. Raw: bias first. Outputs that do not exist get a result
of 0.

**Output.** Raw sums leave in lines of `columns` numbers of 32 bits, each with its index position × groups + group.

**Bands.** Where a machine is cut into bands, a program is one band's, and its stream and images are too: every band may
have another network, or the same one in another precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from triptych.bitsys.accelerator.instruction import RAW, SCALE, THRESHOLD, Instruction
from triptych.bitsys.accelerator.layers import Layer, Raw, Scale, Thresholds, codes, value_range
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.model import Ints, Reading
from triptych.errors import ParameterError

NODES = 15
"""Numbers of a table for one output."""

_ADDRESS = (1 << 24) - 1
_LARGEST = (1 << 31) - 1


@dataclass(frozen=True)
class Tensor:
    """Activations in a memory: (images, height, width, channels) values of `width_bits` in a reading."""

    images: int
    height: int
    width: int
    channels: int
    width_bits: int
    reading: Reading
    per_word: int
    columns: int

    @property
    def words(self) -> int:
        """Containers of a pixel that hold channels."""
        return -(-self.channels // self.per_word)

    @property
    def stride(self) -> int:
        """Containers from a pixel to the next: whole lines."""
        return -(-self.words // self.columns) * self.columns

    @property
    def lines(self) -> int:
        """Lines of memory."""
        return self.images * self.height * self.width * self.stride // self.columns

    def pack(self, values: Ints) -> Ints:
        """Lines of containers, (lines, columns), of values (images, height, width, channels)."""
        fields = np.zeros((*values.shape[:3], self.stride * self.per_word), np.int64)
        fields[..., : self.channels] = codes(values, self.width_bits, self.reading)
        return _containers(fields, self.per_word, self.width_bits).reshape(-1, self.columns)


@dataclass(frozen=True)
class Program:
    """What a machine is given. `tables`: (lines, columns, NODES); `weights`: (lines, lanes), containers; `images`: of a
    batch, all of which go through together; `input`: the first layer's tensor; `output`: (height, width, channels) of
    the last one's sums.
    """

    machine: Machine
    names: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    tables: Ints
    weights: Ints
    input: Tensor
    output: tuple[int, int, int]

    @property
    def images(self) -> int:
        return self.input.images

    @property
    def output_lines(self) -> int:
        """Lines of raw sums of a batch."""
        last = self.instructions[-1]
        return self.images * self.output[0] * self.output[1] * last.groups

    @cached_property
    def beats(self) -> int:
        """Words of the weight port in one pass of the stream."""
        return len(self.weights) * self.machine.beats_per_line

    def pack_images(self, values: Ints) -> list[Ints]:
        """One array of lines a batch, of values (n, height, width, channels); the last batch is filled up with code 0.

        Raises ParameterError for images of another size, or values that the first layer does not read.
        """
        wanted = (self.input.height, self.input.width, self.input.channels)
        if values.ndim != 4 or values.shape[1:] != wanted or not len(values):
            raise ParameterError(f"images of shape {values.shape} are not (n, {wanted[0]}, {wanted[1]}, {wanted[2]})")
        low, high = value_range(self.input.width_bits, self.input.reading)
        if values.min() < low or values.max() > high or (self.input.reading == "bipolar" and np.any(values == 0)):
            raise ParameterError(
                f"images hold values from {values.min()} to {values.max()}; the first layer reads "
                f"{self.input.width_bits} bits {self.input.reading}, {low} to {high}"
            )
        missing = -len(values) % self.images
        fill = np.full((missing, *wanted), -1 if self.input.reading == "bipolar" else 0, np.int64)
        filled = np.concatenate([values, fill])
        return [self.input.pack(filled[i : i + self.images]) for i in range(0, len(filled), self.images)]

    def unpack_sums(self, lines: Ints) -> Ints:
        """Sums (images, height, width, channels) from the output lines of a batch in order of their index."""
        height, width, channels = self.output
        return lines.reshape(self.images, height, width, -1)[..., :channels]


def assemble(machine: Machine, layers: Sequence[Layer], input_size: tuple[int, int], images: int = 1) -> Program:
    """The program of a network of integers for batches of `images`; `input_size` is height and width of its input.
    Of a machine that is cut into bands it is the program of one band (`Program.machine` is that band).

    Raises ParameterError that names the layer when it does not fit: its input or output the activation memories, its
    tokens the weight buffer, its sums 32 bits, its width the machine; when a result is not of the width that the next
    layer reads; when the last layer is not raw or another one is.
    """
    if not layers:
        raise ParameterError("a network without layers")
    machine = machine.band
    instructions: list[Instruction] = []
    tables: list[Ints] = []
    weights: list[Ints] = []
    first = _tensor(machine, layers[0], images, *input_size)
    source = first
    table = 0
    for index, layer in enumerate(layers):
        following = layers[index + 1] if index + 1 < len(layers) else None
        size = layer.map_size(source.height, source.width)
        target = _target(machine, layer, following, images, size)
        instructions.append(_instruction(machine, layer, index, source, target, size, table))
        tables.append(_tables(machine, layer, source, target))
        weights.append(_weights(machine, layer, source))
        table += len(tables[-1])
        if target:
            source = target
        else:
            output = (*size, layer.outputs)
            break
    else:
        raise AssertionError
    if table > machine.table_lines:
        raise ParameterError(f"tables of {table} lines; the machine holds {machine.table_lines}")
    if len(layers) > machine.instructions:
        raise ParameterError(f"{len(layers)} layers; the machine holds {machine.instructions} instructions")
    return Program(
        machine=machine,
        names=tuple(layer.name for layer in layers),
        instructions=tuple(instructions),
        tables=np.concatenate(tables),
        weights=np.concatenate(weights),
        input=first,
        output=output,
    )


def _tensor(machine: Machine, reader: Layer, images: int, height: int, width: int) -> Tensor:
    """The tensor that a layer reads."""
    machine.mode(reader.width)
    tensor = Tensor(
        images=images,
        height=height,
        width=width,
        channels=reader.weights.shape[3],
        width_bits=reader.width,
        reading=reader.activation,
        per_word=machine.channels(reader.width),
        columns=machine.columns,
    )
    if tensor.lines > machine.activation_lines:
        raise ParameterError(
            f"layer {reader.name}: its input needs {tensor.lines} lines of activation memory, the machine has "
            f"{machine.activation_lines}",
            "fewer images a batch, or a machine with larger memories",
        )
    return tensor


def _target(
    machine: Machine, layer: Layer, following: Layer | None, images: int, size: tuple[int, int]
) -> Tensor | None:
    """Where the result goes; None for raw sums, which leave the machine."""
    if following is None or isinstance(layer.output, Raw):
        if following is not None or not isinstance(layer.output, Raw):
            raise ParameterError(f"layer {layer.name}: the last layer, and no other, gives raw sums")
        return None
    if following.weights.shape[3] != layer.outputs:
        raise ParameterError(
            f"layer {following.name} reads {following.weights.shape[3]} channels, {layer.name} has {layer.outputs}"
        )
    bits = following.width
    if isinstance(layer.output, Thresholds) and layer.output.values.shape[1] != (1 << bits) - 1:
        raise ParameterError(
            f"layer {layer.name}: {layer.output.values.shape[1]} thresholds, but {following.name} reads {bits} bits"
        )
    if isinstance(layer.output, Scale) and following.activation == "bipolar":
        raise ParameterError(f"layer {layer.name}: bipolar results need a threshold, not a scale")
    return _tensor(machine, following, images, *size)


def _instruction(
    machine: Machine,
    layer: Layer,
    index: int,
    source: Tensor,
    target: Tensor | None,
    size: tuple[int, int],
    table: int,
) -> Instruction:
    _, kernel_h, kernel_w, _ = layer.weights.shape
    rows, step, pool, pad = machine.positions_per_tile, layer.stride, layer.pool, layer.padding
    out_h, out_w = size
    window = pool * pool
    if rows % window and window % rows:
        raise ParameterError(
            f"layer {layer.name}: {pool} × {pool} pooling does not go with {rows} rows",
            f"rows that divide {window} or that {window} divides",
        )
    tokens = kernel_h * kernel_w * source.words
    if tokens > machine.weight_lines:
        raise ParameterError(
            f"layer {layer.name}: a dot product of {tokens} words; the weight buffer holds {machine.weight_lines}"
        )
    pixel, row = source.stride, source.stride * source.width
    positions = source.images * out_h * out_w * window
    groups = -(-layer.outputs // machine.columns)
    out_lines = target.stride // machine.columns if target else groups
    column_tiles = -(-layer.outputs // machine.outputs_per_tile)
    position_tiles = -(-positions // rows)
    per_tile = max(1, rows // window)
    back = (pool - 1) * step
    combination = layer.combination
    operation = {Thresholds: THRESHOLD, Scale: SCALE, Raw: RAW}[type(layer.output)]
    return Instruction(
        wait=1,
        source=index % 2,
        target=(index + 1) % 2,
        operation=operation,
        mode=machine.mode(layer.width),
        a_signed=int(combination.a_signed),
        b_signed=int(combination.b_signed),
        out_log2=target.width_bits.bit_length() - 1 if target else 0,
        out_signed=int(target is not None and target.reading == "signed"),
        shift=layer.output.shift if isinstance(layer.output, Scale) else 0,
        words=source.words,
        kernel_w=kernel_w,
        kernel_h=kernel_h,
        step_x=(pixel - source.words + 1) & _ADDRESS,
        step_y=(row - (kernel_w - 1) * pixel - source.words + 1) & _ADDRESS,
        tokens=tokens,
        gap=max(0, machine.rows - tokens),
        pool=pool,
        out_w=out_w,
        out_h=out_h,
        images=source.images,
        origin=-pad * (row + pixel) & _ADDRESS,
        move_dx=step * pixel & _ADDRESS,
        move_dy=(step * row - back * pixel) & _ADDRESS,
        move_x=(step * pixel - back * row) & _ADDRESS,
        move_y=(step * row - (out_w * pool - 1) * step * pixel) & _ADDRESS,
        move_image=(source.height * row - (out_h * pool - 1) * step * row - (out_w * pool - 1) * step * pixel)
        & _ADDRESS,
        stride=step,
        back=back,
        pad=pad,
        in_w=source.width,
        in_h=source.height,
        column_tiles=column_tiles,
        position_tiles=position_tiles,
        last_rows=positions - (position_tiles - 1) * rows,
        last_columns=layer.outputs - (column_tiles - 1) * machine.outputs_per_tile,
        last_channels=source.channels - (source.words - 1) * source.per_word,
        groups=groups,
        out_lines=out_lines,
        window=window,
        window_tiles=max(1, window // rows),
        tile_lines=per_tile * out_lines,
        tile_top=(per_tile - 1) * out_lines,
        table=table,
    )


def _weights(machine: Machine, layer: Layer, source: Tensor) -> Ints:
    """The layer's lines of the weight stream, (column tiles × tokens, lanes)."""
    outputs, kernel_h, kernel_w, inputs = layer.weights.shape
    lanes = machine.outputs_per_tile
    tiles = -(-outputs // lanes)
    fields = np.zeros((tiles * lanes, kernel_h, kernel_w, source.words * source.per_word), np.int64)
    fields[:outputs, ..., :inputs] = codes(layer.weights, layer.width, layer.weight)
    words = _containers(fields, source.per_word, layer.width)
    words = words.reshape(tiles, lanes, -1)
    if machine.dataflow == "single_layer":
        words = words.reshape(tiles, machine.rows, machine.columns, -1)[:, ::-1].reshape(tiles, lanes, -1)
    return words.transpose(0, 2, 1).reshape(-1, lanes)


def _tables(machine: Machine, layer: Layer, source: Tensor, target: Tensor | None) -> Ints:
    """The layer's lines of the tables, (groups, columns, NODES). Raises ParameterError where 32 bits do not suffice."""
    groups = -(-layer.outputs // machine.columns)
    table = np.zeros((groups * machine.columns, NODES), np.int64)
    kernel = layer.weights.shape[1] * layer.weights.shape[2]
    bipolar = layer.activation == "bipolar"
    extra = kernel * (source.words * source.per_word - source.channels) if bipolar else 0
    low, high = value_range(layer.width, layer.activation)
    largest = np.abs(layer.weights).reshape(layer.outputs, -1).sum(axis=1) * max(-low, high) + extra
    if isinstance(layer.output, Thresholds):
        table[layer.outputs :] = _LARGEST
        nodes = layer.output.values.shape[1]
        order = np.array([_sorted_index(node, nodes) for node in range(1, nodes + 1)])
        table[: layer.outputs, :nodes] = np.clip(layer.output.values[:, order] + extra, -_LARGEST - 1, _LARGEST)
    else:
        bias = layer.output.bias - extra
        largest = largest + np.abs(bias)
        table[: layer.outputs, 0] = bias
        if isinstance(layer.output, Scale):
            table[: layer.outputs, 1] = layer.output.scale
    if largest.max() > _LARGEST:
        raise ParameterError(f"layer {layer.name}: a sum may reach {largest.max()}, more than 32 bits hold")
    return table.reshape(groups, machine.columns, NODES)


def _sorted_index(node: int, nodes: int) -> int:
    """Where node `node` (from 1) of a complete binary search tree of `nodes` stands in the sorted list (from 0)."""
    level = node.bit_length() - 1
    size = (nodes + 1) >> level  # sorted places a node of this level stands for
    return (node - (1 << level)) * size + size // 2 - 1


def _containers(fields: Ints, per_word: int, width: int) -> Ints:
    """Pack the last axis, field 0 lowest."""
    grouped = fields.reshape(*fields.shape[:-1], -1, per_word)
    return (grouped << (width * np.arange(per_word))).sum(axis=-1)
