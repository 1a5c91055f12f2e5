// SPDX-License-Identifier: Apache-2.0

/// What the parts of an accelerator say to one another: the instruction word, a token on its way, a result on its way.
///
/// Words used throughout. A *token* is one container of activations with the weights of it; a *tile* is the dot products
/// that are computed at once; a *beat* is one line of a tile's results, `columns` of them, leaving the array; a *group* is
/// `columns` output channels; a *line* of an activation memory is `columns` containers.
package accelerators_pkg;

  /// What becomes of a sum.
  typedef enum logic [1:0] {
    Threshold,
    Scale,
    Raw
  } operation_e;

  /// What the sequencer does in a cycle: nothing; issues a token; waits for weights; waits because results take longer to
  /// leave than the tile took; waits for the layer's last results, of which the first has not left the array, or has.
  typedef enum logic [2:0] {
    Idle,
    Busy,
    Stalled,
    Gap,
    Fill,
    Drain
  } phase_e;

  /// One layer; the meaning of the fields stands in triptych.bitsys.accelerator.instruction.
  typedef struct packed {
    logic wait_;
    logic source;
    logic target;
    operation_e operation;
    logic [2:0] mode;
    logic a_signed;
    logic b_signed;
    logic [2:0] out_log2;
    logic out_signed;
    logic [5:0] shift;
    logic [15:0] words;
    logic [9:0] kernel_w;
    logic [9:0] kernel_h;
    logic [23:0] step_x;
    logic [23:0] step_y;
    logic [19:0] tokens;
    logic [7:0] gap;
    logic [3:0] pool;
    logic [11:0] out_w;
    logic [11:0] out_h;
    logic [15:0] images;
    logic [23:0] origin;
    logic [23:0] move_dx;
    logic [23:0] move_dy;
    logic [23:0] move_x;
    logic [23:0] move_y;
    logic [23:0] move_image;
    logic [3:0] stride;
    logic [7:0] back;
    logic [3:0] pad;
    logic [11:0] in_w;
    logic [11:0] in_h;
    logic [15:0] column_tiles;
    logic [23:0] position_tiles;
    logic [7:0] last_rows;
    logic [15:0] last_columns;
    logic [4:0] last_channels;
    logic [15:0] groups;
    logic [15:0] out_lines;
    logic [4:0] window;
    logic [4:0] window_tiles;
    logic [19:0] tile_lines;
    logic [19:0] tile_top;
    logic [15:0] table_;
  } instruction_t;

  /// Bits of an instruction.
  localparam int unsigned InstructionW = $bits(instruction_t);

  /// What rides with a token into the multiply-accumulate units.
  typedef struct packed {
    logic valid;
    logic last;
    logic [2:0] mode;
    logic a_signed;
    logic b_signed;
  } tag_t;

  /// A token before its word is read: where in the window it is.
  typedef struct packed {
    tag_t tag;
    logic first;
    logic [23:0] offset;
    logic [11:0] kernel_y;
    logic [11:0] kernel_x;
  } token_t;

  /// An output position: the memory it reads, the word of its window's first pixel and that pixel's coordinates.
  typedef struct packed {
    logic source;
    logic [23:0] address;
    logic [12:0] y;
    logic [12:0] x;
    logic [11:0] in_h;
    logic [11:0] in_w;
  } position_t;

  /// What the results of a beat need to know on their way to memory.
  typedef struct packed {
    logic valid;
    logic finished;
    logic target;
    operation_e operation;
    logic [2:0] out_log2;
    logic out_signed;
    logic [5:0] shift;
    logic [2:0] slot;
    logic [31:0] line;
    logic [7:0] place;
    logic window_first;
    logic window_last;
  } beat_t;

  /// What a layer took, in cycles and multiplications.
  typedef struct packed {
    logic [47:0] busy;
    logic [47:0] stalled;
    logic [47:0] gap;
    logic [47:0] fill;
    logic [47:0] drain;
    logic [47:0] useful;
    logic [47:0] padded;
  } counters_t;

  /// Cycles from a beat to its finished results in `accelerators_activate`.
  localparam int unsigned ActivateLatency = 9;

  /// log2 of the values that a container of 8 bits holds when they have 2^out_log2 bits.
  function automatic logic [1:0] slots_log2(int unsigned kind, operation_e operation, logic [2:0] out_log2);
    return kind == baselines_pkg::Fixed || operation == Raw ? 2'd0 : 2'(3'd3 - out_log2);
  endfunction

endpackage
