#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/rafthttp/link.h"
#include "server/rafthttp/pipeline.h"
#include "server/rafthttp/prober.h"
#include "server/rafthttp/stream_reader.h"
#include "server/rafthttp/stream_writer.h"

namespace etcd::rafthttp {

// A member of the cluster: two streams each way, and the pipeline while they are missing. Loop
// thread only.
class Peer {
 public:
  Peer(const Context& context, MemberId id, const std::vector<std::string>& urls);

  // False: dropped. A message for a stream goes out with the next Pump.
  bool Send(raft::Message message);
  void Pump();
  // The peer asked for this stream.
  void Attach(StreamKind kind, ConnectionPtr connection, std::string head);
  void SetUrls(const std::vector<std::string>& urls) { link_.urls.Set(urls); }
  Link& link() { return link_; }

 private:
  Link link_;
  StreamWriter message_writer_;
  StreamWriter msgapp_writer_;
  Pipeline pipeline_;
  StreamReader message_reader_;
  StreamReader msgapp_reader_;
  Prober prober_;
};

// Somebody who sends messages and is not known as a member (yet): gets answers, by posts only.
class Remote {
 public:
  Remote(const Context& context, MemberId id, const std::vector<std::string>& urls)
      : link_(context, id, urls), pipeline_(link_) {}
  bool Send(raft::Message message) { return pipeline_.Send(std::move(message)); }

 private:
  Link link_;
  Pipeline pipeline_;
};

}  // namespace etcd::rafthttp
