import { z } from 'zod';

/** A flag in a query: `?follow`, `?follow=1`, `?follow=true`; absent, `0` and `false` mean no. */
export const flagSchema = z
  .enum(['', '1', 'true', '0', 'false'])
  .default('0')
  .transform((text) => text !== '0' && text !== 'false');
