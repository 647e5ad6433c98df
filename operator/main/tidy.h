#pragma once

namespace etcd::op {

// Gives back what the start and bursts of work have left behind: free parts of the heap, and pages
// of the program and its libraries, which come back from the page cache when they are used again.
// Most of what a program maps is only used to start it. To be called now and then; takes a few
// milliseconds.
void GiveBackMemory();

}  // namespace etcd::op
