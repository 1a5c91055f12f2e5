// SPDX-License-Identifier: Apache-2.0

/// What one step of shift-and-add adds: a times one bit of b, masked to the channel of that bit, partial products of
/// negative weight inverted.
module bitshift_row #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Which bit of b.
  parameter int unsigned Row = 0,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths),
  /// Derived: powers of two up to N.
  localparam int unsigned Powers = $clog2(N) + 1
) (
  /// Operand a.
  input  logic [N-1:0]      a_i,
  /// Bit Row of b.
  input  logic              b_i,
  /// Bit e: a is signed, and its channels have at most 2^e bits.
  input  logic [Powers-1:0] a_tops_i,
  /// Bit Row of b is the sign of its channel.
  input  logic              b_top_i,
  /// Bit k: this token's width is smaller than listed width k.
  input  logic [M-1:0]      narrow_i,
  /// The row.
  output logic [N-1:0]      row_o
);

  // Not all widths make a border in every row.
  logic unused_narrow;
  assign unused_narrow = ^narrow_i;

  for (genvar j = 0; j < N; j++) begin : gen_bit
    localparam int unsigned First = bitsys_pkg::first_index(Widths, Row, j);
    localparam int unsigned Ends = baselines_pkg::ones_below(j);  // bit j tops channels of up to 2^Ends bits
    logic product;

    always_comb begin
      product = (a_i[j] & b_i) ^ a_tops_i[Ends] ^ b_top_i;
      // Bipolar: twice a xor b, the first time here and the second time because the constant is one.
      if (j == Row && a_tops_i[0] && b_top_i) product = a_i[j] ^ b_i;
    end

    if (First == bitsys_pkg::Never) begin : gen_never
      logic unused_product;
      assign unused_product = product;
      assign row_o[j] = 1'b0;
    end else if (First == 0) begin : gen_always
      assign row_o[j] = product;
    end else begin : gen_by_mode
      assign row_o[j] = product & ~narrow_i[First];
    end
  end

endmodule
