#pragma once

#include <string_view>
#include <vector>

#include "server/net/address.h"

// The names of this machine itself, which need no name server (RFC 6761, 6.3).
namespace etcd::net {

// "localhost" and names below it, in any case, with or without the dot at the end.
bool IsLocalhost(std::string_view host);

// The addresses that a hosts file (hosts(5)) with this text has for `endpoint.host`, in its order;
// empty: none. Lines that it cannot read count for nothing, as in the system's resolver.
std::vector<Address> ListedInHosts(const Endpoint& endpoint, std::string_view text);

// Of an endpoint whose host IsLocalhost: what /etc/hosts says, else the loopback addresses, since
// minimal machines have no such file. IPv4 first: listeners take the first one, and Go's etcd
// prefers IPv4 there. Asks nobody; reads a file. Empty: the port is no number.
std::vector<Address> LocalhostAddresses(const Endpoint& endpoint);

}  // namespace etcd::net
