import { type ActivityInterfaceFor, type ActivityOptions, proxyActivities as proxy } from '@temporalio/workflow';

/** Activities of a group. Each of them says every few seconds at least that it is alive; a process that died is noticed after 15 s at most. */
export function proxyActivities<T>(options: ActivityOptions): ActivityInterfaceFor<T> {
  return proxy<T>({ heartbeatTimeout: '15s', ...options });
}
