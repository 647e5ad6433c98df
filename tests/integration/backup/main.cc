// The workers alone, as the operator's program dispatches them.
#include <string_view>

#include "operator/worker/worker_main.h"

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "backup-worker") return etcd::worker::BackupWorkerMain(argc, argv);
  if (command == "restore-worker") return etcd::worker::RestoreWorkerMain(argc, argv);
  return 2;
}
