#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/statusor.h>

// Text -> value by the rules of Go's strconv, flag and time packages. Errors carry the reason as
// Go's flag package words it ("parse error", "value out of range").
namespace etcd::config {

// 1 t T TRUE true True 0 f F FALSE false False.
std::optional<bool> ParseGoBool(std::string_view text);

// Base by prefix (0x, 0o, 0b, leading 0), underscores between digits.
absl::StatusOr<std::uint64_t> ParseGoUint(std::string_view text, int bits);
absl::StatusOr<std::int64_t> ParseGoInt(std::string_view text, int bits);

// "1h30m", "1.5s", "-2ms", "0". Messages as time.ParseDuration's: `time: invalid duration "abc"`,
// `time: missing unit in duration "5"`, `time: unknown unit "x" in duration "5x"`.
absl::StatusOr<std::chrono::nanoseconds> ParseGoDuration(std::string_view text);

}  // namespace etcd::config
