#!/usr/bin/env python3
"""The story on a real Kubernetes: operator and cluster by helm, scaled, a pod lost, backed up to S3,
restored, under writers and watchers of whom nothing may be lost. Needs root and the testbed.

    e2e.py            the short story, part of scripts/test.sh
    e2e.py --whole    everything, by scripts/kubernetes_test.sh
    ... --judge       a missed bar fails, at the end; for a machine that does nothing else

BINARIES: a folder other than build/release/bin. KEEP_TESTBED=1: leave it up.
"""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import objects  # noqa: E402
import readme  # noqa: E402
from bed import Bed, Failed  # noqa: E402
from story import S3Server, Story, s3_program  # noqa: E402

COPY = "copy"


def create_and_scale(story):
    story.step("the operator, by helm, as README says")
    story.install_operator()
    story.step("three members, by helm, as README says")
    story.create_as_in_readme()
    story.step("writers and watchers")
    story.start_load("main")
    story.step("3 -> 5 -> 3")
    story.scale("main", 5)
    story.scale("main", 3)
    story.step("a pod is deleted: the leader's")
    story.delete_a_pod("main")


def back_up_and_restore(story, bed):
    story.step("a backup to S3, meanwhile")
    with S3Server(bed) as s3:
        artifact = story.during("backup", story.back_up_as_in_readme, bar=None)
        stored = s3.files()
        print(f"   {artifact}; stored: {stored}", flush=True)
        if not any(artifact["uri"].endswith(os.path.basename(name)) for name in stored):
            raise Failed("the backup is not in the bucket")
        story.step("restored as another cluster, at the same revision")
        began = time.monotonic()
        readme.run_block(bed, "kind: EtcdRestore")
        story.wait_settled(COPY, 3)
        story.figure("restore", time.monotonic() - began)
    expect_same(bed, int(artifact["revision"]))


def expect_same(bed, revision):
    source = objects.Etcd(bed, "main")
    copy = objects.Etcd(bed, COPY)
    want, found = source.content(revision), copy.content(revision)
    if want != found or not want:
        raise Failed(f"{len(want)} keys at revision {revision}, restored: {len(found)}, or others")
    hashes = source.hashes(revision) | copy.hashes(revision)
    if len(hashes) != 1:
        raise Failed(f"HashKV at revision {revision}: {hashes}")
    copy.put("restored", "and written on")
    print(f"   {len(want)} keys and HashKV {hashes} at revision {revision} are the same", flush=True)


def tell(story, options):
    story.step("done")
    story.tell_figures()
    missed = story.missed_bars()
    print(f"   bars: {'all met' if not missed else f'{len(missed)} missed'}", flush=True)
    if missed and options.judge:
        raise Failed("; ".join(missed))
    print(f"kubernetes {'whole' if options.whole else 'short'} story: passed", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--judge", action="store_true")
    options = parser.parse_args()
    s3_program()
    archives = ()
    if options.whole:
        import whole  # pylint: disable=import-outside-toplevel
        archives = whole.archives()
    with Bed(["etcd", "etcd-operator"], volumes=8, archives=archives) as bed:
        story = Story(bed)
        try:
            create_and_scale(story)
            back_up_and_restore(story, bed)
            if options.whole:
                whole.run_all(story, bed)
            else:
                story.step("nothing that was acknowledged is missing")
                story.end_load()
            tell(story, options)
        except Exception as failure:
            bed.report(["default", "etcd-system"])
            sys.exit(f"FAILED: {failure}")
        finally:
            if story.load is not None:
                story.load.close()


if __name__ == "__main__":
    main()
