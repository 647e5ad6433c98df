// jemalloc reads this at its start. A member is a long-running process with bursts (lists,
// compactions): freed pages go back to the system within a second by a background thread, and few
// arenas keep the idle process small; on more cores contention is spread by the thread caches.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf =
    "background_thread:true,max_background_threads:1,narenas:4,dirty_decay_ms:1000,"
    "muzzy_decay_ms:0,tcache_max:4096,metadata_thp:disabled";
}
