#pragma once

#include <string>
#include <vector>

#include "tests/conformance/differential/generator.h"

namespace etcd::differential {

// How one server answered.
struct Answer {
  int code = -1;                    // grpc-status
  std::string text;                 // grpc-message, decoded
  std::string message;              // response bytes when code is 0
  std::vector<std::string> stream;  // messages of a server-streaming call, whatever the code
};

// "" when the answers say the same, else what differs. Identity (cluster, member, term) is set
// aside, and what etcd leaves unspecified: order of equal sort keys, order of a lease's keys,
// a second of remaining time.
// 3.4 lacks HashKVResponse.hash_revision and the header of AlarmResponse; 3.7 does not fill the
// lease of keys_only reads; both check the operations of a transaction in another order than 3.6.
std::string Difference(const Request& request, const Answer& ours, const Answer& theirs, Peer peer);

// Header revision of an OK answer, 0 when there is none.
std::int64_t HeaderRevision(const Request& request, const Answer& answer);

std::string DecodePercent(const std::string& text);

// A request in text form, for the report; long values are cut.
std::string Describe(const Request& request);

}  // namespace etcd::differential
