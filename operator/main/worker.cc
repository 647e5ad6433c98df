// The workers of backups and restores. They are a program of their own because they contain the
// whole storage of the server, which would be half of what an operator weighs that never uses it.
#include <cstdio>
#include <malloc.h>
#include <string_view>

#include "operator/worker/worker_main.h"

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, 1);
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "backup-worker") return etcd::worker::BackupWorkerMain(argc, argv);
  if (verb == "restore-worker") return etcd::worker::RestoreWorkerMain(argc, argv);
  std::fputs("etcd-operator-worker backup-worker|restore-worker ORDER\n", stderr);
  return 2;
}
