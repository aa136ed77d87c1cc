//! Says whether the check digits of a number are right: of bank accounts (IBAN), payment cards and books (ISBN).
//!
//! It describes itself, by the world `tool`: a pattern tells a model more than the type `string` could.

const std = @import("std");
const host = @import("bindings");

const Tool = struct {
    name: []const u8,
    description: []const u8,
    input_schema: []const u8,
    isRight: *const fn (characters: []const u8) bool,
};

const tools = [_]Tool{
    .{
        .name = "iban",
        .description = "Says whether the check digits of an International Bank Account Number are right. One that was mistyped has others.",
        .input_schema = inputSchema("^[A-Z]{2}[0-9]{2}[A-Z0-9 ]{11,36}$", "DE89 3704 0044 0532 0130 00"),
        .isRight = isIban,
    },
    .{
        .name = "payment_card",
        .description = "Says whether the check digit of a payment card's number is right. One that was mistyped has another.",
        .input_schema = inputSchema("^[0-9][0-9 -]{11,22}$", "4111 1111 1111 1111"),
        .isRight = isPaymentCard,
    },
    .{
        .name = "isbn",
        .description = "Says whether the check digit of a book's number, ISBN-10 or ISBN-13, is right.",
        .input_schema = inputSchema("^[0-9][0-9 -]{8,16}[0-9X]$", "978-3-16-148410-0"),
        .isRight = isIsbn,
    },
};

fn inputSchema(comptime pattern: []const u8, comptime example: []const u8) []const u8 {
    return 
    \\{"type": "object", "required": ["number"], "additionalProperties": false, "properties":
    \\  {"number": {"type": "string", "pattern": "
    ++ pattern ++
        \\", "examples": ["
    ++ example ++
        \\"]}}}
    ;
}

const output_schema =
    \\{"type": "object", "required": ["number", "is_right"], "properties":
    \\  {"number": {"type": "string", "description": "Without blanks and hyphens"}, "is_right": {"type": "boolean"}}}
;

/// Longer than any number that the schemas let through.
const characters_max = 64;

/// The first four characters go to the end, a letter stands for the number 10 to 35, and all of it leaves 1 when it is divided by 97.
fn isIban(characters: []const u8) bool {
    var remainder: u32 = 0;
    for (0..characters.len) |at| {
        const character = characters[(at + 4) % characters.len];
        const value = std.fmt.charToDigit(character, 36) catch return false;
        remainder = (remainder * @as(u32, if (value < 10) 10 else 100) + value) % 97;
    }
    return remainder == 1;
}

/// Luhn: every second digit from the right is doubled, and the digits of all add up to a multiple of ten.
fn isPaymentCard(characters: []const u8) bool {
    var sum: u32 = 0;
    for (0..characters.len) |at| {
        const digit = std.fmt.charToDigit(characters[characters.len - 1 - at], 10) catch return false;
        sum += if (at % 2 == 0) digit else digit * 2 / 10 + digit * 2 % 10;
    }
    return sum % 10 == 0;
}

fn isIsbn(characters: []const u8) bool {
    var sum: u32 = 0;
    for (characters, 0..) |character, at| {
        const is_last = at + 1 == characters.len;
        const digit = if (character == 'X' and is_last and characters.len == 10) 10 else std.fmt.charToDigit(character, 10) catch return false;
        sum += digit * @as(u32, switch (characters.len) {
            10 => @intCast(10 - at),
            13 => if (at % 2 == 0) 1 else 3,
            else => return false,
        });
    }
    return sum % @as(u32, if (characters.len == 10) 11 else 10) == 0;
}

fn answer(name: []const u8, arguments: []const u8, into: *[2 * characters_max]u8) ![]const u8 {
    const tool = for (tools) |tool| {
        if (std.mem.eql(u8, tool.name, name)) break tool;
    } else return error.NoSuchTool;

    var memory: [8 * characters_max]u8 = undefined;
    var allocator = std.heap.FixedBufferAllocator.init(&memory);
    const given = try std.json.parseFromSliceLeaky(struct { number: []const u8 }, allocator.allocator(), arguments, .{});

    var characters: [characters_max]u8 = undefined;
    var length: usize = 0;
    for (given.number) |character| {
        if (!std.ascii.isAlphanumeric(character)) continue;
        if (length == characters_max) return error.TooLong;
        characters[length] = character;
        length += 1;
    }
    const number = characters[0..length];
    return std.fmt.bufPrint(into, "{{\"number\": \"{s}\", \"is_right\": {}}}", .{ number, tool.isRight(number) });
}

export fn exports_tool_definitions(ret: *host.tool_list_definition_t) void {
    const definitions = std.heap.c_allocator.alloc(host.tool_definition_t, tools.len) catch @trap();
    for (definitions, tools) |*definition, tool| definition.* = .{
        .name = owned(tool.name),
        .description = owned(tool.description),
        .input_schema = owned(tool.input_schema),
        .output_schema = .{ .is_some = true, .val = owned(output_schema) },
    };
    ret.* = .{ .ptr = definitions.ptr, .len = definitions.len };
}

export fn exports_tool_call(
    name: *host.tool_string_t,
    arguments: *host.tool_string_t,
    ret: *host.tool_string_t,
    failure: *host.tool_run_error_t,
) bool {
    defer host.tool_string_free(name);
    defer host.tool_string_free(arguments);
    var buffer: [2 * characters_max]u8 = undefined;
    if (answer(name.ptr[0..name.len], arguments.ptr[0..arguments.len], &buffer)) |text| {
        ret.* = owned(text);
        return true;
    } else |problem| {
        failure.* = .{ .message = owned(@errorName(problem)), .trace = owned("") };
        return false;
    }
}

/// A copy that the bindings free once the host has read it.
fn owned(text: []const u8) host.tool_string_t {
    var string: host.tool_string_t = undefined;
    host.tool_string_dup_n(&string, text.ptr, text.len);
    return string;
}

/// Ends the instance. Messages would need a standard error stream, and this component imports nothing.
pub const panic = std.debug.no_panic;
