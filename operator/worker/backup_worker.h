#pragma once

#include "operator/backup/order.h"
#include "operator/worker/place.h"

// What the pod of a backup Job does.
namespace etcd::worker {

// operator-spec 10.1: chooses a member, takes its snapshot into the scratch folder, checks it,
// compresses and stores it, reads it back, writes the manifest last, and then deletes what the
// schedule's retention says. A try that died after the manifest is found and reported again.
// Memory does not grow with the snapshot, but for the trial restore's index of keys.
backup::Report TakeBackup(const backup::Order& order, const Place& place);

// Removes the stored data of a backup, if it is that backup's.
backup::Report DeleteBackup(const backup::Order& order, const Place& place);

// Reads a stored backup again: manifest, SHA-256, and a trial restore. Nothing is changed.
backup::Report VerifyStored(const backup::Order& order, const Place& place);

}  // namespace etcd::worker
