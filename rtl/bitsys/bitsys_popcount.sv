// SPDX-License-Identifier: Apache-2.0

/// How many bits are set, as a tree of full adders.
module bitsys_popcount #(
  /// Bits to count, at least one.
  parameter int unsigned Width = 7,
  /// Derived: bits of the count.
  localparam int unsigned CountW = bitsys_pkg::bits_for(Width)
) (
  /// Bits to count.
  input  logic [Width-1:0]  bits_i,
  /// Number of ones.
  output logic [CountW-1:0] count_o
);

  if (Width == 1) begin : gen_one
    assign count_o = bits_i;
  end else if (Width == 2) begin : gen_half_adder
    assign count_o = {&bits_i, ^bits_i};
  end else if (Width == 3) begin : gen_full_adder
    assign count_o = {(bits_i[0] & bits_i[1]) | (bits_i[2] & (bits_i[0] | bits_i[1])), ^bits_i};
  end else begin : gen_tree
    // The largest 2^n - 1 bits that leave something over: such counters use every code of their result.
    localparam int unsigned LeftW = (1 << ($clog2(Width + 1) - 1)) - 1;
    localparam int unsigned RightW = Width - LeftW - 1;
    logic [CountW-2:0] left;
    logic [CountW-2:0] right;
    bitsys_popcount #(
      .Width(LeftW)
    ) u_left (
      .bits_i(bits_i[LeftW-1:0]),
      .count_o(left)
    );
    if (RightW == 0) begin : gen_no_right
      assign right = '0;
    end else begin : gen_right
      logic [bitsys_pkg::bits_for(RightW)-1:0] count;
      bitsys_popcount #(
        .Width(RightW)
      ) u_right (
        .bits_i(bits_i[LeftW+:RightW]),
        .count_o(count)
      );
      assign right = (CountW - 1)'(count);
    end
    bitsys_adder #(
      .Width(CountW - 1)
    ) u_add (
      .x_i(left),
      .y_i(right),
      .carry_i(bits_i[Width-1]),
      .sum_o(count_o)
    );
  end

endmodule
