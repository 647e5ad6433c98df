#pragma once

#include <cstdint>
#include <string>
#include <system_error>

namespace etcd::op {

// `etcd-operator data-guard --data-dir=DIR`, run before the server of a member that has joined: 0
// when the directory holds a log; 3 with "DataMissing" as termination message when it surely does
// not; 4 with "DataUnreadable" when nobody can say. A server that starts on an emptied volume would
// take its old id and forget what it has promised (operator-spec 8.2).
int DataGuardMain(int argc, char** argv);

// Whether `data_dir`/member/wal has a log file. Missing only when the folder is not there, or was
// read to its end without an error; `error` says why it is unreadable.
// The values are what the program ends with.
enum class LogState : std::uint8_t { kPresent = 0, kMissing = 3, kUnreadable = 4 };
LogState FindLog(const std::string& data_dir, std::error_code& error);

}  // namespace etcd::op
