#pragma once

#include <absl/status/statusor.h>

#include "server/membership/member.h"
#include "server/v2store/document.h"

// The membership as the v2 store of etcd 3.4 and 3.5 holds it, in .snap files and snapshot messages
// (raft-peer-storage.md 6; image/v2_document.h writes it).
namespace etcd::node {

// Without the downgrade, which the v2 store does not know.
absl::StatusOr<membership::View> ViewOf(const v2store::Document& document);

}  // namespace etcd::node
