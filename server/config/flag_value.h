#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "server/config/flag_table.h"

// The value of one flag inside a Config, as text.
namespace etcd::config {

// Go's flag package takes "-x" alone for these.
bool IsBoolFlag(const FlagRow& row);

// Parses `text` into the row's field. The message of an error is the reason alone ("parse error").
absl::Status SetFlag(const FlagRow& row, std::string_view text, Config& config);

// As --help shows it; SetFlag reads it back.
std::string FlagText(const FlagRow& row, const Config& config);

// Bounds of the table, and features that are not built. The message is for the operator.
absl::Status CheckFlag(const FlagRow& row, const Config& config);

// "uint", "time.Duration", "[]string": the type's name in messages about the file.
std::string_view GoTypeOf(const FlagRow& row);

}  // namespace etcd::config
