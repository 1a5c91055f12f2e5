// SPDX-License-Identifier: Apache-2.0

/// The lowest channel of a container as one signed number.
module fixed_extend #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths)
) (
  /// Container.
  input  logic [N-1:0] channels_i,
  /// Its channels are signed.
  input  logic         signed_i,
  /// The channels of the other container are signed.
  input  logic         other_signed_i,
  /// Bit k: the channels are smaller than listed width k.
  input  logic [M-1:0] narrow_i,
  /// The number, two's complement.
  output logic [N:0]   number_o
);

  localparam int unsigned Widest = bitsys_pkg::width_of(Widths, M - 1);

  logic bipolar;
  logic sign;
  logic unused_lowest;

  assign bipolar = Widths[1] && (M == 1 || narrow_i[1%M]) && signed_i && other_signed_i;
  assign unused_lowest = narrow_i[0];

  always_comb begin
    sign = signed_i & channels_i[Widest-1];
    for (int unsigned step = 1; step < M; step++) begin
      if (narrow_i[M-step]) sign = signed_i & channels_i[bitsys_pkg::width_of(Widths, M-1-step)-1];
    end
    if (bipolar) sign = ~channels_i[0];
  end

  // -1 is all ones and +1 is a one: the lowest bit of a bipolar number is set, the others are its sign.
  for (genvar j = 0; j <= N; j++) begin : gen_bit
    localparam int unsigned Holds = baselines_pkg::index_from(Widths, j + 1);  // from here on, bit j is in the channel
    if (Holds == bitsys_pkg::Never) begin : gen_sign
      assign number_o[j] = sign;
    end else if (j == 0) begin : gen_lowest
      assign number_o[j] = channels_i[j] | bipolar;
    end else if (Holds == 0) begin : gen_bit
      assign number_o[j] = channels_i[j];
    end else begin : gen_either
      assign number_o[j] = narrow_i[Holds] ? sign : channels_i[j];
    end
  end

endmodule
