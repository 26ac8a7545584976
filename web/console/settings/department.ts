/** Departments: the names of queues for people. */

import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Session } from '../session.ts';
import type { Routing } from './widget.ts';

export interface Department {
  id: string;
  name: string;
  routing: Routing;
}

export const ROUTINGS: readonly (readonly [Routing, string])[] = [
  ['manual', 'Everybody sees it, one takes it'],
  ['least_busy', 'To the one with the most room'],
  ['round_robin', 'To each in turn'],
  ['skills', 'To one who has the skills asked for'],
];

export async function fetchDepartments(session: Session): Promise<Department[]> {
  return (await session.ask<{ items: Department[] }>('GET', '/v1/departments')).body.items;
}

/** All departments; none until they are there, and none when they cannot be had. */
export function useDepartments(session: Session): ReadonlySignal<readonly Department[]> {
  const departments = useSignal<readonly Department[]>([]);
  useEffect(() => {
    fetchDepartments(session).then(
      (items) => {
        departments.value = items;
      },
      () => {},
    );
  }, []);
  return departments;
}
