#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/config/config.h"

namespace etcd::config {

// The sink that the flags describe: JSON or console lines to stderr, stdout, systemd's journal and
// files, rotated when asked for; of identical messages the first 100 a second and then every 100th.
// Thread-safe. Errors: a file that cannot be opened, no journal. `clock` must outlive the sink.
absl::StatusOr<std::unique_ptr<base::LogSink>> OpenLogSink(
    const Config& config, const base::Clock& clock,
    const std::string& journal_socket = "/run/systemd/journal/socket");

base::LogLevel LogLevelOf(const Config& config);

// Writes the messages of Parse: texts to their streams, log lines to the installed sink.
struct ParseResult;
void Print(const ParseResult& result);

}  // namespace etcd::config
