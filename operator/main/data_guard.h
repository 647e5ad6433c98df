#pragma once

#include <string>

namespace etcd::op {

// `etcd-operator data-guard --data-dir=DIR`, run before the server of a member that has joined: 0
// when the directory holds a log, 3 with "DataMissing" as termination message when it does not. A
// server that starts there all the same would take its old id and forget what it has promised
// (operator-spec 8.2).
int DataGuardMain(int argc, char** argv);

// Whether `data_dir`/member/wal has a log file.
bool HasLog(const std::string& data_dir);

}  // namespace etcd::op
