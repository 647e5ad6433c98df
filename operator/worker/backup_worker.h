#pragma once

#include "operator/backup/order.h"
#include "operator/worker/place.h"

// What the pod of a backup Job does.
namespace etcd::worker {

// operator-spec 10.1: chooses a member, takes its snapshot into the scratch folder, checks it
// (kSnapshot), tries it (kVerify), compresses and stores it, reads it back, writes the manifest
// last, and then deletes what the schedule's retention says (kStore). A try that died after the
// manifest is found and reported again. One that fails deletes what is too old all the same.
// Memory does not grow with the snapshot, but for the trial restore's index of keys.
backup::Report TakeBackup(const backup::Order& order, const Place& place);
// One step of it; the scratch folder has what the steps before left.
backup::Report RunStage(const backup::Order& order, const Place& place, backup::Stage stage);

// Removes the stored data of a backup, if it is that backup's.
backup::Report DeleteBackup(const backup::Order& order, const Place& place);

}  // namespace etcd::worker
