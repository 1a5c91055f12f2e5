// SPDX-License-Identifier: Apache-2.0

/// What the multiplier must answer, from the language's own `*`: each channel read as a number, multiplied, packed. For
/// proofs only; it shares nothing with rtl/bitsys but the packing.
module bitsys_product #(
  /// Container width, bits.
  parameter int unsigned N = 4,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h16,
  /// Bits of a mode code.
  parameter int unsigned ModeW = 2
) (
  /// Index of the token's width in the list; a code beyond it means the widest.
  input  logic [ModeW-1:0] mode_i,
  /// Operand a is signed.
  input  logic             a_signed_i,
  /// Operand b is signed.
  input  logic             b_signed_i,
  /// Operand a.
  input  logic [N-1:0]     a_i,
  /// Operand b.
  input  logic [N-1:0]     b_i,
  /// Packed products.
  output logic [2*N-1:0]   product_o
);

  localparam int Last = $countones(Widths) - 1;

  // The products if the token's width were 2^e, and whether it is.
  logic [4:0][2*N-1:0] products;
  logic [4:0]          chosen;

  for (genvar e = 0; e < 5; e++) begin : gen_width
    localparam int P = 1 << e;
    if (P <= N && Widths[P]) begin : gen_listed
      localparam int Code = $countones(Widths & ((32'd1 << P) - 1));
      logic bipolar;
      assign chosen[e] = Code == Last ? 32'(mode_i) >= Code : 32'(mode_i) == Code;
      assign bipolar   = P == 1 && a_signed_i && b_signed_i;
      for (genvar c = 0; c < N / P; c++) begin : gen_channel
        logic signed [P:0]     x;
        logic signed [P:0]     y;
        logic signed [2*P-1:0] xy;
        assign x = bipolar ? (a_i[P*c] ? (P + 1)'(1) : -(P + 1)'(1)) : {a_signed_i & a_i[P*c+P-1], a_i[P*c+:P]};
        assign y = bipolar ? (b_i[P*c] ? (P + 1)'(1) : -(P + 1)'(1)) : {b_signed_i & b_i[P*c+P-1], b_i[P*c+:P]};
        assign xy = (2 * P)'(x) * (2 * P)'(y);
        assign products[e][2*P*c+:2*P] = xy;
      end
    end else begin : gen_unlisted
      assign chosen[e]   = 1'b0;
      assign products[e] = '0;
    end
  end

  always_comb begin
    product_o = '0;
    for (int e = 0; e < 5; e++) if (chosen[e]) product_o = products[e];
  end

endmodule
