// SPDX-License-Identifier: Apache-2.0

/// Channels of p bits, extended to fields of 2p bits.
module bitserial_spread #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths),
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths)
) (
  /// Container, N/p channels.
  input  logic [N-1:0]     channels_i,
  /// The channels are signed.
  input  logic             signed_i,
  /// Index of their width in the list.
  input  logic [ModeW-1:0] mode_i,
  /// The fields.
  output logic [2*N-1:0]   fields_o
);

  // Element k: in fields of listed width k.
  logic [M-1:0][2*N-1:0] fields;

  for (genvar k = 0; k < M; k++) begin : gen_width
    localparam int unsigned W = bitsys_pkg::width_of(Widths, k);
    for (genvar c = 0; c < N / W; c++) begin : gen_channel
      assign fields[k][2*W*c+:2*W] = {{W{signed_i & channels_i[W*c+W-1]}}, channels_i[W*c+:W]};
    end
  end

  assign fields_o = fields[mode_i];

endmodule
