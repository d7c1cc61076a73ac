import { cargo } from './cargo.ts';
import { cmake } from './cmake.ts';
import type { Detector } from './detector.ts';
import { go } from './go.ts';
import { gradle } from './gradle.ts';
import { make } from './make.ts';
import { maven } from './maven.ts';
import { node } from './node.ts';
import { python } from './python.ts';

/** All ecosystems. Make comes last: a Makefile beside another manifest is a wrapper around it. */
export const detectors: readonly Detector[] = [node, go, cargo, python, maven, gradle, cmake, make];
