#include "server/net/localhost.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "server/base/ascii.h"

namespace etcd::net {
namespace {

constexpr std::string_view kName = "localhost";
constexpr std::string_view kBelow = ".localhost";

// Without the dot of a complete name.
std::string_view Trimmed(std::string_view host) {
  return host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
}

// Takes the next word off a line; "": there is none.
std::string_view TakeWord(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

// `host` is in small letters.
bool Names(std::string_view line, std::string_view host) {
  for (std::string_view word = TakeWord(line); !word.empty(); word = TakeWord(line)) {
    if (base::AsciiLower(word) == host) return true;
  }
  return false;
}

std::string ReadHosts() {
  std::ifstream file("/etc/hosts");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

bool IsLocalhost(std::string_view host) {
  const std::string name = base::AsciiLower(Trimmed(host));
  return name == kName || name.ends_with(kBelow);
}

std::vector<Address> ListedInHosts(const Endpoint& endpoint, std::string_view text) {
  std::vector<Address> found;
  const std::string host = base::AsciiLower(Trimmed(endpoint.host));
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::string address(TakeWord(line));
    if (address.empty() || !Names(line, host)) continue;
    if (const auto literal = LiteralAddress({address, endpoint.port, {}})) {
      found.push_back(*literal);
    }
  }
  return found;
}

std::vector<Address> LocalhostAddresses(const Endpoint& endpoint) {
  std::vector<Address> found = ListedInHosts(endpoint, ReadHosts());
  if (found.empty()) {
    for (const char* loopback : {"127.0.0.1", "::1"}) {
      const auto literal = LiteralAddress({loopback, endpoint.port, {}});
      if (literal) found.push_back(*literal);
    }
  }
  std::ranges::stable_partition(
      found, [](const Address& address) { return address.bytes.ss_family == AF_INET; });
  return found;
}

}  // namespace etcd::net
