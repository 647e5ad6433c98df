#pragma once

// What the operator's program does as `backup-worker ORDER` and `restore-worker ORDER`, in pods
// that the controllers make: the order is JSON (operator/backup/order.h). --stage does one step of
// a backup. --scratch, --volume, --keys, --ca and --report replace the places where the pods have
// things, --read-back-max the size up to which stored backups are read again. The report goes to
// /dev/termination-log; 0 when it says that all is well, 1 otherwise.
namespace etcd::worker {

// `argv[0]` is the program, `argv[1]` the subcommand.
int BackupWorkerMain(int argc, char** argv);
int RestoreWorkerMain(int argc, char** argv);

}  // namespace etcd::worker
