// SPDX-License-Identifier: Apache-2.0

/// Leaf of the multiplier tree: 2 x 2 bits, either operand signed, or two separate products of single bits. A table,
/// filled at elaboration, of which each result bit is one six-input LUT unless it has to know pairs as well.
module mtree_leaf #(
  /// The leaf can be asked for pairs.
  parameter bit Pairs = 1'b1
) (
  /// Two bits of a.
  input  logic [1:0] a_i,
  /// Two bits of b.
  input  logic [1:0] b_i,
  /// The bits of a are signed: two's complement, or in a pair each by itself.
  input  logic       a_signed_i,
  /// As a_signed_i for b; both signed in a pair means bipolar.
  input  logic       b_signed_i,
  /// Two products of one bit by one bit, in two bits each, instead of one of two bits by two.
  input  logic       pair_i,
  /// The product, modulo 16, or the two products modulo 4.
  output logic [3:0] product_o
);

  // Product of one bit by one bit, in two bits.
  function automatic logic [1:0] single(bit a, bit b, bit a_signed, bit b_signed);
    if (a_signed && b_signed) return a == b ? 2'd1 : -2'd1;
    return a_signed != b_signed && a && b ? -2'd1 : {1'b0, a & b};
  endfunction

  typedef logic [127:0][3:0] table_t;

  // The index is made of the inputs in this order: pair, a signed, b signed, a, b.
  function automatic table_t products();
    table_t found;
    for (int unsigned index = 0; index < 128; index++) begin
      bit         pair;
      bit         a_signed;
      bit         b_signed;
      logic [1:0] a;
      logic [1:0] b;
      logic [3:0] a_extended;
      logic [3:0] b_extended;
      {pair, a_signed, b_signed, a, b} = 7'(index);
      a_extended = {{2{a_signed & a[1]}}, a};
      b_extended = {{2{b_signed & b[1]}}, b};
      if (pair) begin
        found[index] = {single(a[1], b[1], a_signed, b_signed), single(a[0], b[0], a_signed, b_signed)};
      end else begin
        found[index] = a_extended * b_extended;
      end
    end
    return found;
  endfunction

  localparam table_t Products = products();

  assign product_o = Products[{Pairs & pair_i, a_signed_i, b_signed_i, a_i, b_i}];

endmodule
