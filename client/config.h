#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace etcd::client {

// Files in PEM. Not supported yet: Client::Create refuses a config that sets any of it, and
// https endpoints, so that nobody talks in the clear by mistake.
struct TlsOptions {
  std::string trusted_ca_file{};
  std::string cert_file{};
  std::string key_file{};
  std::string server_name{};  // instead of the endpoint's host
  bool insecure_skip_verify = false;

  bool operator==(const TlsOptions&) const = default;
};

// Not supported yet: Client::Create refuses it.
struct Credentials {
  std::string username{};
  std::string password{};

  bool operator==(const Credentials&) const = default;
};

struct Config {
  // "http://host:2379", "host:2379" or "unix:///path"; at least one. A name is looked up at every
  // new connection, so a member may come back under another address.
  std::vector<std::string> endpoints{};
  TlsOptions tls{};
  Credentials credentials{};
  // Of calls that say nothing else.
  std::chrono::milliseconds call_timeout{5000};
  // One attempt to make a connection.
  std::chrono::milliseconds dial_timeout{5000};
  // While calls are in flight a ping is sent after this long without traffic, and the connection
  // given up when it is not answered within the timeout: how a vanished machine is noticed. Servers
  // cut clients that ping more often than every 5 s.
  std::chrono::milliseconds keepalive_time{10000};
  std::chrono::milliseconds keepalive_timeout{5000};
};

struct CallOptions {
  // The whole call with its repeats. 0: Config::call_timeout; negative: none, so a call without
  // `endpoint` may last until Close.
  std::chrono::milliseconds timeout{0};
  // One of Config::endpoints, as written there: only this one is asked, and a call fails at once
  // when there is no connection to be had. Empty: any, and the call waits for one until its
  // timeout. Calls about one member (Status, HashKv, Snapshot, Defragment, MoveLeader) want it
  // named unless the client has one endpoint only.
  std::string endpoint{};
};

}  // namespace etcd::client
