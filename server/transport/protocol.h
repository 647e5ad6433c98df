#pragma once

#include <cstddef>
#include <string_view>

#include "server/transport/out_buffer.h"

namespace etcd::transport {

// What a connection speaks once its first bytes told: HTTP/2 or HTTP/1. Loop thread only.
class Protocol {
 public:
  virtual ~Protocol() = default;

  // Bytes from the peer. False: the connection ends after what is to be written.
  virtual bool OnBytes(std::string_view bytes) = 0;
  // The peer will send no more. False as in OnBytes.
  virtual bool OnEnd() = 0;
  // Moves bytes to write into `out` until it holds about `bytes_hint` or there are none.
  virtual void Fill(OutBuffer& out, std::size_t bytes_hint) = 0;
  // Asked after all was written: nothing more will come or go.
  virtual bool Finished() const = 0;
  // True while the peer makes us queue answers that it does not read: no more is read from it.
  virtual bool Overloaded() const = 0;
  // Finish what is open, take nothing new.
  virtual void Drain() = 0;
  // The connection is gone: end every call. Last.
  virtual void OnClosed() = 0;
};

}  // namespace etcd::transport
