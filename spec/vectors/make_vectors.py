#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the test vectors next to this file, with the stock protobuf library
and zlib. Good frames are serialized messages; frames to be refused are good
ones with a named edit, or bytes written out.

usage: make_vectors.py [FOLDER_OF_ROAM_PB2]
"""
import sys

sys.dont_write_bytecode = True

import batch_vectors  # noqa: E402
import frame_vectors  # noqa: E402

frame_vectors.client_file()
frame_vectors.server_file()
frame_vectors.reject_file()
batch_vectors.batch_file()
batch_vectors.example_file()
batch_vectors.batch_reject_file()
batch_vectors.page_file()
batch_vectors.page_reject_file()
