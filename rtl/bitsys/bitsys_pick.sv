// SPDX-License-Identifier: Apache-2.0

/// From one flag for each listed width, the flag of the token's own width.
module bitsys_pick #(
  /// Listed widths.
  parameter int unsigned M = 4,
  /// One flag for each index.
  parameter bitsys_pkg::flags_t Flags = '0
) (
  /// Bit k: the token's width is smaller than listed width k.
  input  logic [M-1:0] narrow_i,
  /// The flag of the largest listed width that is not narrow.
  output logic         flag_o
);

  // Bit 0 of `narrow` is never set: nothing is smaller than the smallest listed width.
  logic unused_lowest;
  assign unused_lowest = narrow_i[0];

  // Element k: the flag if the width is at least the one of index k.
  logic [M-1:0] at_least;

  assign at_least[M-1] = Flags[M-1];
  for (genvar k = 0; k < M - 1; k++) begin : gen_index
    assign at_least[k] = narrow_i[k+1] ? Flags[k] : at_least[k+1];
  end
  assign flag_o = at_least[0];

endmodule
