// alter_value DATA_DIR KEY: changes one byte of the newest value of KEY in the engine of a stopped
// member, under checksums that are valid again.
#include <cstdio>
#include <string>

#include "server/base/status.h"
#include "server/storage/engine/rocks_engine.h"
#include "tests/support/alter_value.h"

namespace {

absl::Status Alter(const std::string& data_dir, const std::string& key) {
  ASSIGN_OR_RETURN(const auto engine,
                   etcd::engine::OpenRocksEngine(data_dir + "/member/rocksdb", {}));
  RETURN_IF_ERROR(etcd::testing::AlterValue(*engine, key));
  return engine->Flush();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("alter_value DATA_DIR KEY\n", stderr);
    return 2;
  }
  const absl::Status status = Alter(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::fputs((std::string(status.message()) + "\n").c_str(), stderr);
  return 1;
}
